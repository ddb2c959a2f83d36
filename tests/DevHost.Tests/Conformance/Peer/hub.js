// The SDK's in-memory backend, driven turn by turn against a worker that may be in another process.
'use strict';

const { InMemoryOrchestrationBackend } = require('@microsoft/durabletask-js');
const pb = require('@microsoft/durabletask-js/dist/proto/orchestrator_service_pb');
const events = require('@microsoft/durabletask-js/dist/utils/pb-helper.util');
const { orchestratorRequest } = require('./protocol');

const activitiesAtOnce = 50;
const patienceMs = 60_000;

class Hub extends InMemoryOrchestrationBackend {
  #worker;
  #wake = () => {};
  #stopped = false;

  constructor(worker) {
    super();
    this.#worker = worker;
  }

  // Runs until stopped; rejects when the worker breaks the protocol.
  async run() {
    while (!this.#stopped) {
      const woken = new Promise((resolve) => { this.#wake = resolve; });
      if (!(await this.#runActivities()) && !(await this.#runTurn())) {
        await woken;
      }
    }
  }

  stop() {
    this.#stopped = true;
    this.#wake();
    this.reset();
  }

  ended(id) {
    return this.waitForState(id, (instance) => this.isTerminalStatus(instance.status), patienceMs);
  }

  until(id, predicate) {
    return this.waitForState(id, predicate, patienceMs);
  }

  enqueueOrchestration(id) {
    super.enqueueOrchestration(id);
    this.#wake();
  }

  // Every host records what was sent; without it a replay would send it again in each turn.
  processAction(instance, action) {
    if (action.hasSendevent()) {
      const sent = action.getSendevent();
      instance.history.push(events.newEventSentEvent(
        action.getId(), sent.getInstance().getInstanceid(), sent.getName(), sent.getData()?.getValue()));
    }

    super.processAction(instance, action);
  }

  async #runTurn() {
    const instance = this.getNextOrchestrationWorkItem();
    if (!instance) {
      return false;
    }

    if (this.isTerminalStatus(instance.status)) {
      instance.pendingEvents = [];
      return true;
    }

    // What arrives while the worker thinks is for the next turn.
    const taken = beginTurn(instance.pendingEvents);
    this.#failTerminatedChildren(instance, taken);
    instance.pendingEvents = [];
    const request = orchestratorRequest(instance.instanceId, instance.history, taken);
    const response = pb.OrchestratorResponse.deserializeBinary(await this.#worker.turn(instance.name, request));
    const arrived = instance.pendingEvents;
    instance.pendingEvents = taken;
    this.completeOrchestration(
      instance.instanceId, instance.completionToken, response.getActionsList(), response.getCustomstatus()?.getValue());
    if (arrived.length > 0) {
      instance.pendingEvents.push(...arrived);
      this.enqueueOrchestration(instance.instanceId);
    }

    return true;
  }

  // As everywhere else, the parent of a terminated child hears of a failure without details.
  #failTerminatedChildren(instance, taken) {
    const childIds = new Map(instance.history
      .filter((event) => event.hasSuborchestrationinstancecreated())
      .map((event) => [event.getEventid(), event.getSuborchestrationinstancecreated().getInstanceid()]));
    for (const failed of taken.map((event) => event.getSuborchestrationinstancefailed()).filter(Boolean)) {
      const child = this.getInstance(childIds.get(failed.getTaskscheduledid()));
      if (child.status === pb.OrchestrationStatus.ORCHESTRATION_STATUS_TERMINATED) {
        failed.clearFailuredetails();
      }
    }
  }

  async #runActivities() {
    const batch = [];
    for (let item; batch.length < activitiesAtOnce && (item = this.getNextActivityWorkItem());) {
      batch.push(item);
    }

    await Promise.all(batch.map(async (item) => this.#finishActivity(item, await this.#worker.activity(item))));
    return batch.length > 0;
  }

  #finishActivity(item, outcome) {
    if (!outcome.failure && !outcome.isUnknown) {
      this.completeActivity(item.instanceId, item.taskId, outcome.result);
      return;
    }

    // The backend's own way knows neither failures without details nor such as no retry can mend.
    const failed = events.newTaskFailedEvent(item.taskId, undefined, outcome.failure);
    if (outcome.isUnknown) {
      failed.getTaskfailed().clearFailuredetails();
    }

    const instance = this.getInstance(item.instanceId);
    instance.pendingEvents.push(failed);
    this.enqueueOrchestration(item.instanceId);
  }
}

// A turn starts with its time, which is never before a timer that it brings.
function beginTurn(pending) {
  if (pending[0].hasOrchestratorstarted()) {
    return pending;
  }

  const due = pending.filter((event) => event.hasTimerfired()).map((event) => event.getTimerfired().getFireat().toDate().getTime());
  return [events.newOrchestratorStartedEvent(new Date(Math.max(Date.now(), ...due))), ...pending];
}

module.exports = { Hub };
