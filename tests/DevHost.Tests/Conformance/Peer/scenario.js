// Plays one scenario against a hub, and tells what came of it.
'use strict';

const { isDeepStrictEqual } = require('node:util');
const pb = require('@microsoft/durabletask-js/dist/proto/orchestrator_service_pb');
const { Hub } = require('./hub');

const statusNames = new Map(Object.entries(pb.OrchestrationStatus).map(([name, value]) => [
  value,
  name.slice('ORCHESTRATION_STATUS_'.length),
]));

const kinds = new Map(Object.entries(pb.HistoryEvent.EventtypeCase).map(([name, value]) => [value, name]));

function kind(event) {
  return kinds.get(event.getEventtypeCase());
}

function text(value) {
  return value === undefined ? undefined : JSON.stringify(value);
}

function statusName(instance) {
  const name = statusNames.get(instance.status);
  return name[0] + name.slice(1).toLowerCase();
}

async function step(hub, rootId, action) {
  const id = rootId + (action.to ?? '');
  switch (action.do) {
    case 'waitForCustomStatus':
      return hub.until(id, ({ customStatus }) => customStatus !== undefined && isDeepStrictEqual(JSON.parse(customStatus), action.value));
    case 'waitForStatus':
      return hub.until(id, (instance) => statusName(instance) === action.value);
    case 'waitForEvent':
      return hub.until(id, ({ history }) => history.some((event) => kind(event) === action.value.toUpperCase()));
    case 'raise':
      return hub.raiseEvent(id, action.event, text(action.payload));
    case 'raiseMany':
      return Array.from({ length: action.count }, (_, i) => hub.raiseEvent(id, action.event, text(i)));
    case 'suspend':
      return hub.suspend(id);
    case 'resume':
      return hub.resume(id);
    case 'terminate':
      return hub.terminate(id, action.reason);
    default:
      throw new Error(`Unknown step '${action.do}'.`);
  }
}

async function play(scenario, worker) {
  const hub = new Hub(worker);
  const running = hub.run();
  try {
    const id = hub.createInstance(scenario.name, scenario.orchestrator, text(scenario.input));
    const played = (async () => {
      for (const action of scenario.steps ?? []) {
        await step(hub, id, action);
      }

      await hub.ended(id);
      return observe(hub, id);
    })();

    // The hub ends by itself only when it breaks.
    return await Promise.race([played, running.then(() => played)]);
  } finally {
    hub.stop();
  }
}

function observe(hub, id) {
  const instance = hub.getInstance(id);
  return {
    status: statusName(instance),
    output: instance.output,
    customStatus: instance.customStatus,
    instances: withChildren(hub, id),
  };
}

function withChildren(hub, id) {
  const { history } = hub.getInstance(id);
  const children = history.filter((event) => event.hasSuborchestrationinstancecreated());
  return [
    { id, events: history.map((event) => Buffer.from(event.serializeBinary()).toString('base64')) },
    ...children.flatMap((event) => withChildren(hub, event.getSuborchestrationinstancecreated().getInstanceid())),
  ];
}

module.exports = { play };
