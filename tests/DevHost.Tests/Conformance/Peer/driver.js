// Plays scenarios on the SDK's in-memory backend. POST / takes {scenario, handler}: without a handler the worker is the SDK's own.
'use strict';

const { HandlerWorker } = require('./handler-worker');
const { OwnWorker } = require('./own-worker');
const { play } = require('./scenario');
const { endWithParent, serve } = require('./server');

endWithParent();
const own = new OwnWorker();
serve(0, async (_, body) => {
  const { scenario, handler } = JSON.parse(body);
  return play(scenario, handler ? new HandlerWorker(handler) : own);
}).then((port) => console.log(`listening at http://127.0.0.1:${port}/`));
