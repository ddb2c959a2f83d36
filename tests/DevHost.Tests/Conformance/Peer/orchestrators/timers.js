'use strict';

const { whenAll, whenAny } = require('@microsoft/durabletask-js');

const hourMs = 3_600_000;

// As a date: the SDK's delays are seconds in floating point.
function after(context, ms) {
  return context.createTimer(new Date(context.currentUtcDateTime.getTime() + ms));
}

async function* TimersInSequence(context, delays) {
  for (const ms of delays) {
    yield after(context, ms);
  }

  return delays.length;
}

async function* TimersTogether(context, delays) {
  yield whenAll(delays.map((ms) => after(context, ms)));
  return delays.length;
}

async function* TimerAndActivity(context, ms) {
  const [, said] = yield whenAll([after(context, ms), context.callActivity('Repeat', 'done')]);
  return said;
}

async function* CancelledTimer(context) {
  const timer = after(context, hourMs);
  const activity = context.callActivity('Repeat', 'first');
  const winner = yield whenAny([timer, activity]);
  timer.cancel();
  return [winner === activity, yield context.callActivity('Repeat', 'second')];
}

async function* TimerRace(context, ms) {
  const [soon, late] = [after(context, ms), after(context, hourMs)];
  const winner = yield whenAny([late, soon]);
  late.cancel();
  return [winner === soon, yield context.callActivity('Repeat', 'after')];
}

async function* TimerCancelledAtOnce(context) {
  after(context, hourMs).cancel();
  return yield context.callActivity('Repeat', 'on');
}

async function* LongTimer(context, days) {
  const timer = after(context, days * 24 * hourMs);
  const stop = context.waitForExternalEvent('stop');
  context.setCustomStatus('waiting');
  yield whenAny([timer, stop]);
  timer.cancel();
  return 'stopped';
}

async function* OpenTimer(context, ms) {
  after(context, ms);
  return 'not awaited';
}

async function* OpenActivity(context) {
  context.callActivity('Repeat', 'on its own');
  return 'not awaited';
}

async function* Clock(context, ms) {
  const start = context.currentUtcDateTime;
  yield after(context, ms);
  return context.currentUtcDateTime - start >= ms;
}

module.exports = {
  after,
  orchestrators: {
    TimersInSequence, TimersTogether, TimerAndActivity, CancelledTimer, TimerRace, TimerCancelledAtOnce, LongTimer, OpenTimer, OpenActivity, Clock,
  },
};
