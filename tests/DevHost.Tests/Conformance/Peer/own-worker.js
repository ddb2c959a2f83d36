// The SDK's worker with the peer's orchestrators and activities, in this process.
'use strict';

const { NoOpLogger, TaskHubGrpcWorker } = require('@microsoft/durabletask-js');
const activities = require('./activities');
const orchestrators = require('./orchestrators');
const { describeError, failureDetails } = require('./protocol');

class OwnWorker {
  #executor = new TaskHubGrpcWorker({ logger: new NoOpLogger() });

  constructor() {
    for (const [name, code] of Object.entries(orchestrators)) {
      this.#executor.addNamedOrchestrator(name, code);
    }
  }

  turn(name, request) {
    return this.#executor.processOrchestratorRequest(request);
  }

  async activity({ name, input }) {
    if (!Object.hasOwn(activities, name)) {
      return { isUnknown: true };
    }

    try {
      return { result: JSON.stringify(activities[name](input === undefined ? undefined : JSON.parse(input))) };
    } catch (error) {
      return { failure: failureDetails(describeError(error)) };
    }
  }
}

module.exports = { OwnWorker };
