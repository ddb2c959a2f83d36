// A server on 127.0.0.1 that ends with the process that started it: the pipe on standard input ends with its writer.
'use strict';

const http = require('node:http');

function endWithParent() {
  process.stdin.resume();
  process.stdin.once('end', () => process.exit(0));
}

function serve(port, answer) {
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }

    let [status, body] = [200, undefined];
    try {
      body = await answer(request.url, Buffer.concat(chunks).toString('utf8'));
    } catch (error) {
      [status, body] = [500, { error: String(error?.stack ?? error) }];
    }

    response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
    response.end(JSON.stringify(body ?? {}));
  });
  return new Promise((resolve) => { server.listen(port, '127.0.0.1', () => resolve(server.address().port)); });
}

module.exports = { endWithParent, serve };
