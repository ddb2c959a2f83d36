'use strict';

const { RetryPolicy, whenAll } = require('@microsoft/durabletask-js');

async function* ActivityFails(context, message) {
  return yield context.callActivity('Fail', message);
}

async function* Compensates(context, message) {
  try {
    return yield context.callActivity('Fail', message);
  } catch {
    return yield context.callActivity('Repeat', 'undone');
  }
}

async function* FailsWithCause(context, message) {
  try {
    return yield context.callActivity('FailWithCause', message);
  } catch {
    return 'caught';
  }
}

async function* Throws(context, message) {
  yield context.callActivity('Repeat', 'before');
  throw new Error(message, { cause: new Error('the cause') });
}

async function* ThrowsAtOnce(context, message) {
  throw new Error(message);
}

async function* UnknownActivity(context) {
  try {
    return yield context.callActivity('NoSuchActivity', 1);
  } catch {
    return 'caught';
  }
}

async function* FanOutWithFailures(context, count) {
  const tasks = Array.from({ length: count }, (_, i) => context.callActivity(i % 2 ? 'Fail' : 'Repeat', `number ${i}`));
  try {
    yield whenAll(tasks);
  } catch {
    // Counted below.
  }

  return tasks.filter((task) => task.isFailed).length;
}

async function* Retries(context, plan) {
  const retry = new RetryPolicy({
    maxNumberOfAttempts: plan.attempts,
    firstRetryIntervalInMilliseconds: plan.firstMs,
    backoffCoefficient: plan.backoff,
    maxRetryIntervalInMilliseconds: plan.maxMs,
  });
  return yield context.callActivity('FailUntil', { key: context.instanceId, succeedsAt: plan.succeedsAt }, { retry });
}

async function* RetryRefused(context, message) {
  const retry = new RetryPolicy({
    maxNumberOfAttempts: 5,
    firstRetryIntervalInMilliseconds: 10,
    handleFailure: (failure) => !failure.message.includes('fatal'),
  });
  return yield context.callActivity('Fail', message, { retry });
}

async function* NonRetriable(context, message) {
  const retry = new RetryPolicy({ maxNumberOfAttempts: 5, firstRetryIntervalInMilliseconds: 10 });
  return yield context.callActivity('Refuse', message, { retry });
}

module.exports = {
  ActivityFails, Compensates, FailsWithCause, Throws, ThrowsAtOnce, UnknownActivity, FanOutWithFailures, Retries, RetryRefused, NonRetriable,
};
