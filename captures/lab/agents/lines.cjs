// The programs' side of the JSON lines that `process` speaks, for those that run under Node.js (`lines.py` in Python).
'use strict';
const readline = require('node:readline');
const path = require('node:path');

const write = line => process.stdout.write(JSON.stringify(line) + '\n');

/** Report a change of state. */
exports.state = (name, value) => write({kind: 'state', t: Date.now(), name, value});

/** Give a message to be carried to the other side. */
exports.signal = message => write({kind: 'signal', t: Date.now(), message});

/** The version of an npm package. */
exports.version = name => {
  const root = require.resolve(name).replace(new RegExp(`(node_modules.${name}).*`), '$1');
  return require(path.join(root, 'package.json')).version;
};

/** Answer requests one after the other until standard input ends. */
exports.serve = verbs => {
  async function answer(line) {
    const {id, verb, argument} = JSON.parse(line);
    try {
      const result = await verbs[verb](argument);
      write({id, result: result === undefined ? null : result});
    } catch (error) {
      write({id, error: String(error && error.stack || error)});
    }
  }
  let chain = Promise.resolve();
  const input = readline.createInterface({input: process.stdin});
  input.on('line', line => { chain = chain.then(() => answer(line)); });
  input.on('close', () => process.exit(0));
};
