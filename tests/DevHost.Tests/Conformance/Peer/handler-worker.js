// A worker behind a custom handler: calls its endpoint in the encoding of the Functions host.
'use strict';

const { randomUUID } = require('node:crypto');
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');

class HandlerWorker {
  #address;
  #appRoot;
  #bindings = new Map();

  constructor({ address, appRoot }) {
    this.#address = address;
    this.#appRoot = appRoot;
  }

  async turn(name, request) {
    const context = Buffer.from(request).toString('base64');
    const answer = await this.#invoke(name, this.#binding(name).name, JSON.stringify(context), {});
    return Buffer.from(answer, 'base64');
  }

  // The result stays in the handler's envelope: its own worker opens it.
  async activity({ instanceId, name, input }) {
    const binding = this.#binding(name);
    if (binding?.type !== 'activityTrigger') {
      return { isUnknown: true };
    }

    const metadata = { instanceId: JSON.stringify(instanceId) };
    if (input !== undefined) {
      const data = JSON.parse(input);
      Object.assign(metadata, { data: isObject(data) ? data : input }, isObject(data) && spilled(data));
    }

    return { result: JSON.stringify(await this.#invoke(name, binding.name, JSON.stringify(input ?? null), metadata)) };
  }

  async #invoke(name, bindingName, value, metadata) {
    const sys = { MethodName: name, UtcNow: new Date().toISOString().slice(0, 19), RandGuid: randomUUID() };
    const response = await fetch(new URL(name, this.#address), {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json; charset=utf-8',
        'User-Agent': 'Azure-Functions-Host/4.0',
        'X-Azure-Functions-InvocationId': randomUUID(),
      },
      body: JSON.stringify({ Data: { [bindingName]: value }, Metadata: { ...metadata, sys } }),
    });
    if (!response.ok) {
      throw new Error(`The handler answered ${response.status} to ${name}: ${await response.text()}`);
    }

    return (await response.json()).ReturnValue;
  }

  #binding(name) {
    if (!this.#bindings.has(name)) {
      const file = path.join(this.#appRoot, name, 'function.json');
      this.#bindings.set(name, existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).bindings[0] : undefined);
    }

    return this.#bindings.get(name);
  }
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// The host adds the properties of an object to the metadata, in its own encoding.
function spilled(data) {
  return Object.fromEntries(Object.entries(data)
    .filter(([, value]) => value !== null && !Array.isArray(value))
    .map(([name, value]) => [name, isObject(value) ? value : JSON.stringify(value)]));
}

module.exports = { HandlerWorker };
