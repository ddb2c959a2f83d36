'use strict';

const { whenAll } = require('@microsoft/durabletask-js');

async function* Twice(context, number) {
  return yield context.callActivity('Echo', 2 * number);
}

async function* Parent(context, number) {
  return 1 + (yield context.callSubOrchestrator('Twice', number));
}

async function* Deep(context, depth) {
  return depth === 0 ? 'bottom' : `${depth} > ${yield context.callSubOrchestrator('Deep', depth - 1)}`;
}

async function* DeepFailure(context, depth) {
  return depth === 0
    ? yield context.callActivity('Fail', 'deep down')
    : yield context.callSubOrchestrator('DeepFailure', depth - 1);
}

async function* ChildFailureCaught(context) {
  try {
    return yield context.callSubOrchestrator('DeepFailure', 1);
  } catch {
    return yield context.callActivity('Repeat', 'caught');
  }
}

async function* ChildrenTogether(context, count) {
  const answers = yield whenAll(Array.from({ length: count }, (_, i) => context.callSubOrchestrator('Twice', i)));
  return answers.reduce((sum, answer) => sum + answer, 0);
}

async function* ChildReports(context) {
  const child = context.callSubOrchestrator('Reporter', context.instanceId);
  const report = yield context.waitForExternalEvent('report');
  return [report, yield child];
}

async function* Reporter(context, parentId) {
  context.sendEvent(parentId, 'report', { from: 'the child' });
  return 'reported';
}

async function* TellsChild(context) {
  const childId = `${context.instanceId}-listener`;
  const child = context.callSubOrchestrator('OneEvent', 'news', { instanceId: childId });
  context.sendEvent(childId, 'news', [1, 2]);
  context.sendEvent(`${context.instanceId}-nobody`, 'news', null);
  return yield child;
}

async function* Holds(context) {
  const child = context.callSubOrchestrator('OneEvent', 'release', { instanceId: `${context.instanceId}-held` });
  context.setCustomStatus('holding');
  try {
    return yield child;
  } catch {
    return yield context.callActivity('Repeat', 'lost');
  }
}

module.exports = { Twice, Parent, Deep, DeepFailure, ChildFailureCaught, ChildrenTogether, ChildReports, Reporter, TellsChild, Holds };
