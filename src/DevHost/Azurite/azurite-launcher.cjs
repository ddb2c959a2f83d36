// Starts Azurite and stops it in order when the process that started this one is gone:
// the pipe on standard input ends with its writer, however that writer died.
'use strict';

const graceMs = 8000;

process.stdin.resume();
process.stdin.once('end', () => {
  process.kill(process.pid, 'SIGINT'); // Azurite closes its servers and saves what it holds in memory
  setTimeout(() => process.exit(1), graceMs).unref();
});

require('azurite/dist/src/azurite');
