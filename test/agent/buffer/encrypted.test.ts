/** What holds of a buffer and of its tools holds with encryption, too: the same tests once more. */

process.env.FMS_BUFFER_MODE = 'encrypted';
await import('./buffer.test.ts');
await import('./tools.test.ts');
