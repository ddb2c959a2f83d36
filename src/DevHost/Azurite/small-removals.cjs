// Azurite keeps its rows in LokiJS, which sorts every index of a collection anew for each removal by query or by list, even of no row at all. Azurite removes that way with every
// queue call (the messages that expired: hardly ever one) and for each message's text, so that a queue of thousands makes all services wait for seconds.
// A removal of few rows goes row by row instead, which keeps the indexes as they are but for those rows.
'use strict';

const { Collection } = require('lokijs');

const fewRows = 16;
const removeSorting = Collection.prototype.removeBatchByPositions;
if (typeof removeSorting !== 'function') {
  throw new Error('LokiJS has no removeBatchByPositions any more: see whether small-removals.cjs is still needed');
}

Collection.prototype.removeBatchByPositions = function (positions) {
  if (positions.length > fewRows) {
    return removeSorting.call(this, positions);
  }

  const rows = positions.map(position => this.data[position]); // all of them first: each removal moves those behind it
  rows.forEach(row => this.remove(row));
};
