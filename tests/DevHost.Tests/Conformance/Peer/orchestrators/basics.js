'use strict';

const { whenAll } = require('@microsoft/durabletask-js');

async function* Sequence(context, count) {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += yield context.callActivity('Echo', i);
  }

  return sum;
}

async function* FanOut(context, count) {
  const answers = yield whenAll(Array.from({ length: count }, (_, i) => context.callActivity('Echo', i)));
  return answers.reduce((sum, answer) => sum + answer, 0);
}

async function* Immediate(context, input) {
  return input ?? 'no input';
}

async function* Nothing() {
  return null;
}

async function* Statuses(context, statuses) {
  for (const status of statuses) {
    context.setCustomStatus(status);
    yield context.waitForExternalEvent('next');
  }

  return statuses.length;
}

module.exports = { Sequence, FanOut, Immediate, Nothing, Statuses };
