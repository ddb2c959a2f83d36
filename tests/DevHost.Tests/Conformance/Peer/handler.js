// A custom handler around the SDK's worker: what the Functions host starts and calls.
'use strict';

const { OwnWorker } = require('./own-worker');
const activities = require('./activities');
const { describeError, openActivityEnvelopes } = require('./protocol');
const { endWithParent, serve } = require('./server');

const worker = new OwnWorker();

async function invoke(name, envelope) {
  // A value that is no object is JSON text; of an activity's input it is the text of the text.
  const value = JSON.parse(Object.values(envelope.Data)[0]);
  return Object.hasOwn(activities, name) ? activity(name, value) : turn(name, value);
}

async function turn(name, base64) {
  const response = await worker.turn(name, openActivityEnvelopes(Buffer.from(base64, 'base64')));
  return Buffer.from(response).toString('base64');
}

// The envelope of Baton's activities. The value travels as text: the host rewrites dates and fractions.
function activity(name, input) {
  try {
    return { okText: JSON.stringify(activities[name](input === null ? undefined : JSON.parse(input)) ?? null) };
  } catch (error) {
    return { failed: describeError(error) };
  }
}

endWithParent();
serve(Number(process.env.FUNCTIONS_CUSTOMHANDLER_PORT), async (url, body) => {
  const name = url.slice(1);
  return name === '' ? undefined : { ReturnValue: await invoke(name, JSON.parse(body)) };
});
