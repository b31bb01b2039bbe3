/**
 * A device over HTTP that counts how often it was asked: `node counting-device.ts PORT`. What it said is what
 * must be found, each number once. Prints `listening`.
 */

import { createServer } from 'node:http';

let asked = 0;
const server = createServer((request, response) => {
  if (request.url !== '/said') asked++;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ time: new Date().toISOString(), value: asked }));
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));
