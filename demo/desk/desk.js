/* global deskbus */
// Parts that the desk's windows share: price formats, message statistics and the status bar.
'use strict';

window.desk = (() => {
  const LATENCIES_KEPT = 1024;
  const RATE_WINDOW_MS = 2000;
  const SILENCE_MS = 2000;
  const LINK_WORDS = {
    open: 'Connected',
    silent: 'Connected, no prices',
    connecting: 'Reconnecting…',
    closed: 'Disconnected',
  };

  // Wall-clock milliseconds with a fraction. performance.now() does not follow the clock when it
  // is set or the machine sleeps, so it is tied to Date.now(), which has whole milliseconds only.
  let drift = 0;
  function wallClock() {
    const now = performance.timeOrigin + performance.now();
    const behind = Date.now() - (now + drift);
    if (behind < -1 || behind > 1) drift += behind;
    return now + drift;
  }

  /** Counts messages, their rate and their age when they get here, from the sender's clock. */
  class Flow {
    constructor() {
      this.count = 0;
      this.last = 0;
      this.gaps = 0;
      this.arrivals = [];
      this.latencies = [];
    }

    /** Whether messages came once and have stopped coming. */
    get silent() {
      return this.count > 0 && wallClock() - this.last > SILENCE_MS;
    }

    add(sentAt) {
      const now = wallClock();
      this.last = now;
      this.latencies[this.count % LATENCIES_KEPT] = now - sentAt;
      this.count += 1;
      this.arrivals.push(now);
    }

    snapshot() {
      const since = wallClock() - RATE_WINDOW_MS;
      const first = this.arrivals.findIndex((time) => time >= since);
      this.arrivals.splice(0, first < 0 ? this.arrivals.length : first);
      const sorted = Float64Array.from(this.latencies).sort();
      const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
      return {
        count: this.count,
        gaps: this.gaps,
        rate: this.arrivals.length / (RATE_WINDOW_MS / 1000),
        p50: sorted.length ? at(0.5) : null,
        p99: sorted.length ? at(0.99) : null,
      };
    }
  }

  const flow = new Flow();

  /** Splits a price as dealers read it: big figure, pips and, for currencies, tenths of a pip. */
  function parts({ kind, decimals }, price) {
    const text = price.toFixed(decimals);
    const tenths = kind === 'fx' ? text.slice(-1) : '';
    const rest = kind === 'fx' ? text.slice(0, -1) : text;
    return { head: rest.slice(0, -2), pips: rest.slice(-2), tenths };
  }

  /** The spread in pips for currencies, in money for shares. */
  function spread({ kind, decimals, bid, ask }) {
    return kind === 'fx' ? ((ask - bid) * 10 ** (decimals - 1)).toFixed(1) : (ask - bid).toFixed(2);
  }

  const TIME = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

  function clockTime(milliseconds) {
    return TIME.format(milliseconds);
  }

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  /** Lets an element glow for a moment; people who want less motion get none. */
  const calm = matchMedia('(prefers-reduced-motion: reduce)');
  function flash(target, colour, duration) {
    if (calm.matches) return;
    const wash = (shade) => ({ boxShadow: `inset 0 0 0 100px ${shade}` });
    target.animate([wash(colour), wash('transparent')], { duration, easing: 'ease-out' });
  }

  function setText(target, text) {
    if (target.textContent !== text) target.textContent = text;
  }

  function watchFocus() {
    const mark = (pointing) => () => document.body.classList.toggle('pointing', pointing);
    addEventListener('pointerdown', mark(true), true);
    addEventListener('keydown', mark(false), true);
  }

  /** Keeps the status bar up to date: link state, message rate, latencies. */
  function runStatusBar() {
    const find = (name) => document.getElementById(name);
    const showLink = () => {
      const open = flow.silent ? 'silent' : 'open';
      const state = deskbus.state() === 'open' ? open : deskbus.state();
      find('link').dataset.state = state;
      setText(find('link'), LINK_WORDS[state]);
      document.body.classList.toggle('stale', flow.count > 0 && state !== 'open');
    };
    const milliseconds = (value) => (value === null ? '–' : `${value.toFixed(1)} ms`);
    showLink();
    deskbus.onState(showLink);
    deskbus.onGap(() => {
      flow.gaps += 1;
    });
    setText(find('identity'), deskbus.app);
    setInterval(() => {
      showLink();
      const { count, gaps, rate, p50, p99 } = flow.snapshot();
      setText(find('rate'), `${rate.toFixed(0)}/s`);
      setText(find('p50'), milliseconds(p50));
      setText(find('p99'), milliseconds(p99));
      setText(find('count'), count.toLocaleString('en-GB'));
      setText(find('gaps'), String(gaps));
    }, 500);
  }

  function run() {
    watchFocus();
    runStatusBar();
  }

  return { flow, parts, spread, clockTime, element, flash, setText, run };
})();
