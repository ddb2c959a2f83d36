'use strict';

async function* CountsUp(context, state) {
  const number = yield context.callActivity('Echo', state.number);
  if (number < state.last) {
    context.continueAsNew({ number: number + 1, last: state.last }, true);
    return null;
  }

  return number;
}

// All items come before the first execution takes one; the others take what was carried over.
async function* Collects(context, state) {
  if (state.got.length === 0) {
    context.setCustomStatus('gate');
    yield context.waitForExternalEvent('go');
  }

  const got = [...state.got, yield context.waitForExternalEvent('item')];
  if (got.length < state.of) {
    context.continueAsNew({ got, of: state.of }, true);
    return null;
  }

  return got;
}

async function* Forgets(context, round) {
  context.setCustomStatus(`round ${round}`);
  if (round === 0) {
    yield context.waitForExternalEvent('go');
    context.continueAsNew(1, false);
    return null;
  }

  return yield context.waitForExternalEvent('item');
}

async function* ChildInEachRound(context, round) {
  const answer = yield context.callSubOrchestrator('Twice', round);
  if (round < 3) {
    context.continueAsNew(round + 1, true);
    return null;
  }

  return answer;
}

module.exports = { CountsUp, Collects, Forgets, ChildInEachRound };
