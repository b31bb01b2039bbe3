/** The `modbus:` block of a device and its channels. */

import type { JsonSchema } from '../spec.ts';

const NAME = { type: 'string', minLength: 1 };

export const deviceSchema: JsonSchema = {
  title: 'Modbus TCP',
  description: 'A device, or a unit behind a gateway, that speaks Modbus TCP.',
  type: 'object',
  additionalProperties: false,
  required: ['host'],
  properties: {
    host: { ...NAME, title: 'Host', description: 'Name or address.' },
    port: { title: 'Port', type: 'integer', minimum: 1, maximum: 65_535, default: 502 },
    unit: {
      title: 'Unit',
      description: 'Unit identifier (slave address).',
      type: 'integer',
      minimum: 0,
      maximum: 255,
      default: 1,
    },
    request_timeout_ms: {
      title: 'Request timeout',
      description: "How long one request may take; default: the device's timeout_ms.",
      type: 'integer',
      minimum: 10,
    },
    max_registers: {
      title: 'Registers a request',
      description: 'Some devices give fewer than the 125 that the protocol allows.',
      type: 'integer',
      minimum: 1,
      maximum: 125,
      default: 125,
    },
    max_bits: {
      title: 'Bits a request',
      type: 'integer',
      minimum: 1,
      maximum: 2_000,
      default: 2_000,
    },
    max_gap: {
      title: 'Gap',
      description:
        'Registers that nobody asked for and that are read along to save a request (sixteen times as many bits). 0: only what is contiguous is joined.',
      type: 'integer',
      minimum: 0,
      maximum: 124,
      default: 8,
    },
  },
};

export const channelSchema: JsonSchema = {
  title: 'Modbus channel',
  type: 'object',
  additionalProperties: false,
  required: ['address'],
  properties: {
    function: {
      title: 'Function code',
      description: '1 coils, 2 discrete inputs, 3 holding registers, 4 input registers.',
      enum: [1, 2, 3, 4],
      default: 3,
    },
    address: {
      title: 'Address',
      description: 'As it is sent, from 0: holding register 40101 of a manual is 100 here.',
      type: 'integer',
      minimum: 0,
      maximum: 65_535,
    },
    type: {
      title: 'Type',
      description: 'Default: bool for functions 1 and 2, uint16 for 3 and 4.',
      enum: [
        'bool',
        'int16',
        'uint16',
        'int32',
        'uint32',
        'int64',
        'uint64',
        'float32',
        'float64',
        'string',
      ],
    },
    bit: {
      title: 'Bit',
      description: 'Of a register, 0 the lowest, for type bool; left out: any bit set is true.',
      type: 'integer',
      minimum: 0,
      maximum: 15,
    },
    length: {
      title: 'Length',
      description: 'Registers of a string, two characters each.',
      type: 'integer',
      minimum: 1,
      maximum: 125,
    },
    byte_order: {
      title: 'Byte order',
      description: 'Of the two bytes within a register; left out: big.',
      enum: ['big', 'little'],
    },
    word_order: {
      title: 'Word order',
      description: 'Of the registers of one number; left out: big, the highest first.',
      enum: ['big', 'little'],
    },
    scale: { title: 'Scale', description: 'value = raw × scale + offset.', type: 'number' },
    offset: { title: 'Offset', type: 'number' },
  },
};
