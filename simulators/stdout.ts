/** Standard output as a pipe that may be full without freezing the process. */

import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { LineOutput } from './replay.ts';

/**
 * process.stdout writes to pipes synchronously: while the reader is busy no signal would be heard. A
 * socket over the same descriptor does not block. Files are written at once. It stays open until the
 * process ends: a reader may take the end of the output for a wish to be ended.
 */
export function standardOutput(): LineOutput {
  const kind = fstatSync(1);
  if (!kind.isFIFO() && !kind.isSocket()) {
    return {
      write: async (text) => {
        const bytes = Buffer.from(text);
        let written = 0;
        while (written < bytes.length) written += writeSync(1, bytes, written);
      },
    };
  }
  const socket = new Socket({ fd: 1, readable: false, writable: true });
  let failure: Error | undefined;
  socket.on('error', (error) => {
    failure = error;
  });
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) {
          reject(failure);
          return;
        }
        socket.write(text, (error) => (error ? reject(error) : resolve()));
      }),
  };
}
