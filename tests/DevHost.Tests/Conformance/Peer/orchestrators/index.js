// The peer's side of the orchestrations: each does what the C# orchestrator of its name does.
'use strict';

module.exports = {
  ...require('./basics'),
  ...require('./timers').orchestrators,
  ...require('./events'),
  ...require('./failures'),
  ...require('./children'),
  ...require('./continuing'),
  ...require('./values'),
};
