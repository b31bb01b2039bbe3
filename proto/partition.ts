import { crc32c } from './crc32c.ts';

/**
 * The log partition of a gateway: CRC-32C of the key's UTF-8 bytes modulo the count. Stored data
 * depends on it: it never changes.
 */
export function partitionOf(gatewayKey: string, partitionCount: number): number {
  return crc32c(Buffer.from(gatewayKey)) % partitionCount;
}
