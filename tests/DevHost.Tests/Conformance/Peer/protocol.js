// Messages as the Durable extension and a custom handler exchange them.
'use strict';

const pb = require('@microsoft/durabletask-js/dist/proto/orchestrator_service_pb');
const { Value } = require('google-protobuf/google/protobuf/struct_pb');
const { getStringValue } = require('@microsoft/durabletask-js/dist/utils/pb-helper.util');

// As with the extension, the execution id is not set.
function orchestratorRequest(instanceId, pastEvents, newEvents) {
  const request = new pb.OrchestratorRequest();
  request.setInstanceid(instanceId);
  request.setPasteventsList(pastEvents);
  request.setNeweventsList(newEvents);
  const properties = request.getPropertiesMap();
  properties.set('IncludeState', new Value().setBoolValue(true));
  properties.set('IsExtendedSession', new Value().setBoolValue(false));
  properties.set('ExtendedSessionIdleTimeoutInSeconds', new Value().setNumberValue(0));
  properties.set('HttpDefaultAsyncRequestSleepTimeMilliseconds', new Value().setNumberValue(30_000));
  return request.serializeBinary();
}

// An error, or the "failed" of an activity envelope, as the protocol's message.
function failureDetails(failed) {
  const details = new pb.TaskFailureDetails();
  details.setErrortype(failed.errorType);
  details.setErrormessage(failed.errorMessage);
  details.setStacktrace(getStringValue(failed.stackTrace));
  details.setIsnonretriable(failed.isNonRetriable === true);
  if (failed.innerFailure) {
    details.setInnerfailure(failureDetails(failed.innerFailure));
  }

  return details;
}

function describeError(error) {
  return {
    errorType: error.name,
    errorMessage: error.message,
    isNonRetriable: error.isNonRetriable === true,
    ...(error.cause && { innerFailure: describeError(error.cause) }),
  };
}

// Baton's activities answer with an envelope, which its own worker opens; a worker that knows nothing of it gets the contents.
function openActivityEnvelopes(requestBytes) {
  const request = pb.OrchestratorRequest.deserializeBinary(requestBytes);
  for (const event of [...request.getPasteventsList(), ...request.getNeweventsList()]) {
    if (event.hasTaskcompleted()) {
      open(event, event.getTaskcompleted());
    }
  }

  return request.serializeBinary();
}

function open(event, completed) {
  const envelope = JSON.parse(completed.getResult().getValue());
  if (envelope.failed) {
    const failed = new pb.TaskFailedEvent();
    failed.setTaskscheduledid(completed.getTaskscheduledid());
    failed.setFailuredetails(failureDetails(envelope.failed));
    event.setTaskfailed(failed);
  } else {
    completed.setResult(getStringValue(envelope.okText ?? JSON.stringify(envelope.ok ?? null)));
  }
}

module.exports = { orchestratorRequest, failureDetails, describeError, openActivityEnvelopes };
