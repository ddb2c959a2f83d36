// The peer's side of the activities: each does what the C# activity of its name does.
'use strict';

const attempts = new Map();

class Refusal extends Error {
  isNonRetriable = true;
}

module.exports = {
  Echo: (value) => value,
  Repeat: (value) => value,
  Fail(message) {
    throw new Error(message);
  },
  FailWithCause(message) {
    throw new Error(message, { cause: new Error('the cause', { cause: new Error('the first cause') }) });
  },
  FailUntil({ key, succeedsAt }) {
    const attempt = (attempts.get(key) ?? 0) + 1;
    attempts.set(key, attempt);
    if (attempt < succeedsAt) {
      throw new Error(`attempt ${attempt} failed`);
    }

    return attempt;
  },
  Refuse(message) {
    throw new Refusal(message);
  },
};
