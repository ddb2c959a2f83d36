// Starts Azurite and stops it in order when the process that started this one is gone:
// the pipe on standard input ends with its writer, however that writer died.
'use strict';

const graceMs = 8000;

process.stdin.resume();
process.stdin.once('end', () => {
  process.kill(process.pid, 'SIGINT'); // Azurite closes its servers and saves what it holds in memory
  setTimeout(() => process.exit(1), graceMs).unref();
});

// Every ten minutes Azurite looks through all it holds for what was deleted, and answers nobody meanwhile: for a minute where it holds gigabytes. A long measurement puts that off.
const collectionMinutes = Number(process.env.AZURITE_COLLECTION_MINUTES);
if (collectionMinutes > 0) {
  require('azurite/dist/src/blob/utils/constants').DEFAULT_GC_INTERVAL_MS = collectionMinutes * 60000;
}

require('./small-removals.cjs');
require('azurite/dist/src/azurite');
