// The demo's main script, whose windows reach the backend over a link that the tests cut, and wait
// as briefly as they may before they come back.
'use strict';

const net = require('net');

const { connect } = net;
net.connect = (options, ...rest) =>
  connect(options.path ? { ...options, path: process.env.DESKBUS_TEST_LINK } : options, ...rest);
Math.random = () => 0;

module.exports = require('../../../demo/main.js');
