'use strict';

const { whenAll, whenAny } = require('@microsoft/durabletask-js');
const { after } = require('./timers');

async function* OneEvent(context, name) {
  context.setCustomStatus('waiting');
  return (yield context.waitForExternalEvent(name)) ?? null;
}

async function* EarlyEvents(context, count) {
  context.setCustomStatus('gate');
  yield context.waitForExternalEvent('go');
  const items = [];
  while (items.length < count) {
    items.push(yield context.waitForExternalEvent('item'));
  }

  return items;
}

async function* NamesInAnyCase(context) {
  context.setCustomStatus('waiting');
  const first = yield context.waitForExternalEvent('Approval');
  const second = yield context.waitForExternalEvent('APPROVAL');
  return [first, second];
}

async function* WaitersInOrder(context, count) {
  const waiters = Array.from({ length: count }, () => context.waitForExternalEvent('item'));
  context.setCustomStatus('waiting');
  return yield whenAll(waiters);
}

async function* TwoNames(context) {
  const [left, right] = [context.waitForExternalEvent('left'), context.waitForExternalEvent('right')];
  context.setCustomStatus('waiting');
  return yield whenAll([left, right]);
}

async function* EventOrTimer(context, ms) {
  const timer = after(context, ms);
  const answer = context.waitForExternalEvent('answer');
  context.setCustomStatus('waiting');
  const winner = yield whenAny([timer, answer]);
  if (winner === answer) {
    timer.cancel();
    return ['event', answer.getResult()];
  }

  context.setCustomStatus('late');
  return ['timer', yield answer];
}

async function* EventWithTimeout(context, ms) {
  context.setCustomStatus('waiting');
  const timer = after(context, ms);
  const answer = context.waitForExternalEvent('answer');
  const winner = yield whenAny([timer, answer]);
  if (winner === timer) {
    return yield context.callActivity('Repeat', 'timed out');
  }

  timer.cancel();
  return yield context.callActivity('Repeat', answer.getResult());
}

async function* EventOrActivity(context) {
  const never = context.waitForExternalEvent('never');
  const activity = context.callActivity('Repeat', 'activity');
  const winner = yield whenAny([never, activity]);
  return [winner === activity, activity.getResult()];
}

// The child ends only when it is told to, which happens after the activity has won.
async function* RaceOfTasks(context) {
  const childId = `${context.instanceId}-held`;
  const held = context.callSubOrchestrator('OneEvent', 'release', { instanceId: childId });
  const quick = context.callActivity('Repeat', 'quick');
  const winner = yield whenAny([held, quick]);
  context.sendEvent(childId, 'release', 'now');
  return [winner === quick, yield held];
}

async function* RepeatedWaits(context, count) {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    context.setCustomStatus(i);
    sum += yield context.callActivity('Echo', yield context.waitForExternalEvent('number'));
  }

  return sum;
}

module.exports = {
  OneEvent, EarlyEvents, NamesInAnyCase, WaitersInOrder, TwoNames, EventOrTimer, EventWithTimeout, EventOrActivity, RaceOfTasks, RepeatedWaits,
};
