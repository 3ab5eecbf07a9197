// Parts that the shells without a bus share: windows with the usual locks, and the feed's lines.
'use strict';
const { spawn } = require('child_process');
const path = require('path');
const readline = require('readline');
const { app, BrowserWindow } = require('electron');

exports.openWindow = async (url, preload) => {
  await app.whenReady();
  const window = new BrowserWindow({
    width: 400,
    height: 300,
    webPreferences: {
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      ...(preload ? { preload: path.join(__dirname, preload) } : {}),
    },
  });
  await window.loadURL(url);
  return window;
};

/** Starts the feed, which writes a line for each message; resolves when it has begun. */
exports.startFeed =
  (onLine) =>
  async ({ rate, count }) => {
    const program = path.join(__dirname, '..', 'feed.py');
    const words = [program, String(rate), String(count)];
    const feed = spawn(process.env.BENCH_PYTHON, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    readline.createInterface({ input: feed.stdout }).on('line', (line) => onLine(JSON.parse(line)));
    await new Promise((resolve) => feed.stdout.once('readable', resolve));
  };
