'use strict';

async function* Pass(context, value) {
  return (yield context.callActivity('Repeat', value)) ?? null;
}

async function* PassEach(context, values) {
  const passed = [];
  for (const value of values) {
    passed.push((yield context.callActivity('Repeat', value)) ?? null);
  }

  return passed;
}

async function* PassToChild(context, value) {
  return yield context.callSubOrchestrator('Pass', value);
}

async function* Large(context, length) {
  return yield context.callActivity('Repeat', 'xé'.repeat(length / 2));
}

async function* LargeEvent(context, length) {
  const childId = `${context.instanceId}-listener`;
  const child = context.callSubOrchestrator('OneEvent', 'news', { instanceId: childId });
  context.sendEvent(childId, 'news', 'xé'.repeat(length / 2));
  return (yield child).length;
}

async function* Guids(context) {
  const [first, second] = [context.newGuid(), context.newGuid()];
  const passed = yield context.callActivity('Repeat', first);
  return { passed, isKept: passed === first, areDifferent: first !== second };
}

module.exports = { Pass, PassEach, PassToChild, Large, LargeEvent, Guids };
