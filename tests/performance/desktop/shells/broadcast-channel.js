// BroadcastChannel: pages of one origin and one session, past main. Main is no part of it, and no feed.
'use strict';
const { openWindow } = require('./plain.js');

exports.open = async (url, firstMessage) => {
  const receiver = await openWindow(url('receiver'));
  const first = firstMessage(receiver);
  // A channel is not heard by who speaks on it, so nobody has a first message of its own.
  first.catch(() => undefined);
  const sender = await openWindow(url('sender'));
  return { receiver, sender, first };
};
