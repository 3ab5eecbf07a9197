/* global desk, deskbus */
// Buttons for what no app should do; its own process does it, and this window shows how it is.
'use strict';

const MEMORY_LIMIT = 320 * 1024 * 1024;
const HIGH = 0.75;
const SILENT_MS = 1200;

const find = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll('.deed')];
let heardAt = 0;

function showPulse({ pid, memory, restarts, deeds, count }) {
  heardAt = performance.now();
  desk.setText(find('pid'), String(pid));
  desk.setText(find('memory'), `${Math.round(memory / 1048576)} MB`);
  desk.setText(find('limit'), `of ${MEMORY_LIMIT / 1048576} MB with its window`);
  const share = Math.min(1, memory / MEMORY_LIMIT);
  find('share').value = share;
  find('share').classList.toggle('high', share > HIGH);
  desk.setText(
    find('restarts'),
    restarts === 1 ? 'once' : restarts ? `${restarts} times` : 'never',
  );
  desk.setText(find('total'), count ? `· ${count} in all` : '');
  find('none').hidden = count > 0;
  showDeeds(deeds);
  showLife();
}

function showDeeds(deeds) {
  const text = JSON.stringify(deeds);
  const list = find('list');
  if (list.dataset.shown === text) return;
  list.dataset.shown = text;
  list.textContent = '';
  for (const { at, what } of [...deeds].reverse()) {
    const line = desk.element('li');
    line.append(desk.element('time', '', desk.clockTime(at)), `It ${what}.`);
    list.append(line);
  }
}

/** A process that says nothing gets no orders. */
function showLife() {
  const silent = performance.now() - heardAt > SILENT_MS;
  document.body.classList.toggle('silent', silent);
  for (const button of buttons) button.disabled = silent;
}

async function start() {
  desk.run();
  for (const button of buttons) {
    button.addEventListener('click', () => deskbus.publish('chaos.do', button.dataset.deed));
  }
  setInterval(showLife, 250);
  showLife();
  await deskbus.subscribe('chaos.pulse', ({ payload }) => showPulse(payload));
  await deskbus.subscribe('prices.#', ({ payload }) => desk.flow.add(payload.time));
}

void start();
