/* global desk, deskbus */
// Live prices from the bus; a click on one fills the order ticket of another app.
'use strict';

const PRICES = { permission: 'messaging.read', scope: 'prices.#' };
const POINTS = 120;
const POINT_MS = 250;
const FLASH_MS = 400;
const CHART = { width: 120, height: 28, margin: 2 };
const SVG = 'http://www.w3.org/2000/svg';

const find = (id) => document.getElementById(id);
const style = getComputedStyle(document.documentElement);
const UP_WASH = style.getPropertyValue('--up-wash');
const DOWN_WASH = style.getPropertyValue('--down-wash');

/** One instrument's line of the board. */
class Row {
  constructor(quote) {
    this.quote = quote;
    this.shown = null;
    this.points = [];
    this.line = desk.element('tr');
    this.line.dataset.symbol = quote.symbol;
    const name = desk.element('th');
    name.scope = 'row';
    name.append(
      desk.element('span', 'symbol', quote.symbol),
      desk.element('span', 'name', quote.name),
    );
    this.sell = this.priceButton('sell', () => prefill(this.quote, 'SELL', this.quote.bid));
    this.buy = this.priceButton('buy', () => prefill(this.quote, 'BUY', this.quote.ask));
    this.spread = desk.element('td', 'spread');
    this.change = desk.element('td', 'change');
    const trend = desk.element('td', 'trend');
    this.chart = document.createElementNS(SVG, 'svg');
    this.chart.setAttribute('viewBox', `0 0 ${CHART.width} ${CHART.height}`);
    this.chart.setAttribute('preserveAspectRatio', 'none');
    this.chart.setAttribute('aria-hidden', 'true');
    this.curve = document.createElementNS(SVG, 'polyline');
    this.chart.append(this.curve);
    trend.append(this.chart);
    this.line.append(name, this.sell.cell, this.spread, this.buy.cell, this.change, trend);
  }

  priceButton(side, act) {
    const cell = desk.element('td');
    const button = desk.element('button', `price ${side}`);
    button.type = 'button';
    const [head, pips, tenths] = ['head', 'pips', 'tenths'].map((name) =>
      desk.element('span', name),
    );
    button.append(head, pips, tenths);
    button.addEventListener('click', act);
    cell.append(button);
    return { cell, button, head, pips, tenths };
  }

  paint() {
    if (this.quote === this.shown) return;
    const { quote, shown } = this;
    this.paintPrice(this.sell, 'Sell', quote.bid, shown && shown.bid);
    this.paintPrice(this.buy, 'Buy', quote.ask, shown && shown.ask);
    desk.setText(this.spread, desk.spread(quote));
    const change = Math.round(quote.changePct * 100) / 100;
    const sign = change > 0 ? '+' : change < 0 ? '−' : '';
    desk.setText(this.change, `${sign}${Math.abs(change).toFixed(2)} %`);
    this.change.className = `change ${change > 0 ? 'up' : change < 0 ? 'down' : ''}`;
    this.shown = quote;
  }

  paintPrice(side, word, price, before) {
    if (price === before) return;
    const { head, pips, tenths } = desk.parts(this.quote, price);
    desk.setText(side.head, head);
    desk.setText(side.pips, pips);
    desk.setText(side.tenths, tenths);
    side.button.setAttribute(
      'aria-label',
      `${word} ${this.quote.symbol} at ${price.toFixed(this.quote.decimals)}`,
    );
    if (before !== null) desk.flash(side.button, price > before ? UP_WASH : DOWN_WASH, FLASH_MS);
  }

  takePoint() {
    this.points.push((this.quote.bid + this.quote.ask) / 2);
    if (this.points.length > POINTS) this.points.shift();
    const low = Math.min(...this.points);
    const span = Math.max(...this.points) - low || 1;
    const last = Math.max(1, this.points.length - 1);
    const place = (value, index) => {
      const x = (index / last) * CHART.width;
      const y = CHART.margin + (1 - (value - low) / span) * (CHART.height - 2 * CHART.margin);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    };
    this.curve.setAttribute('points', this.points.map(place).join(' '));
  }
}

const rows = new Map();

/** Currencies come first, then shares; each in the order of their symbols. */
function comesAfter(one, other) {
  if (one.kind !== other.kind) return other.kind === 'fx';
  return one.symbol > other.symbol;
}

function onQuote({ payload: quote }) {
  desk.flow.add(quote.time);
  const row = rows.get(quote.symbol);
  if (row) {
    row.quote = quote;
  } else {
    const made = new Row(quote);
    const after = ({ dataset }) => comesAfter(rows.get(dataset.symbol).quote, quote);
    find('rows').insertBefore(made.line, [...find('rows').children].find(after) || null);
    rows.set(quote.symbol, made);
  }
}

function paint() {
  for (const row of rows.values()) row.paint();
  requestAnimationFrame(paint);
}

function tellAnswer(text, failed = false) {
  find('answer').classList.toggle('down', failed);
  desk.setText(find('answer'), text);
}

async function prefill({ symbol, decimals }, side, price) {
  const order = `${side === 'BUY' ? 'Buy' : 'Sell'} ${symbol} at ${price.toFixed(decimals)}`;
  const asked = performance.now();
  try {
    const answer = await deskbus.request('orders.prefill', { symbol, side, price });
    const took = (performance.now() - asked).toFixed(1);
    tellAnswer(`${order}: ${answer.payload.text} (${answer.app}, ${took} ms)`);
  } catch (error) {
    tellAnswer(`${order}: ${error.message} ${error.action} (${error.code})`, true);
  }
}

function onOrder({ payload: order }) {
  desk.setText(find('order'), `Order ${order.id}: ${order.text}`);
}

/** Shows the panel that stands in for the board while there are no prices. */
function showGate(title, text, button, act, error) {
  find('gate').hidden = false;
  find('board').hidden = true;
  desk.setText(find('gate-title'), title);
  desk.setText(find('gate-text'), text);
  desk.setText(find('connect'), button || '');
  find('connect').hidden = !button;
  find('connect').onclick = act || null;
  find('gate-error').hidden = !error;
  if (error) {
    desk.setText(find('gate-code'), String(error.code));
    desk.setText(find('gate-action'), error.action);
  }
}

let stopPrices = () => Promise.resolve();

/** After a restart of the bus the permission may be gone, and with it the subscription. */
async function onRefused(refusal) {
  if (refusal.method === 'bus.subscribe' && refusal.topic === PRICES.scope) {
    await stopPrices().catch(() => undefined);
    showGate('No prices', refusal.message, 'Try again', connect, refusal);
  }
}

async function connect() {
  showGate('Waiting for your answer', 'Answer the question that has just opened.');
  try {
    stopPrices = await deskbus.subscribe(PRICES.scope, onQuote);
    find('gate').hidden = true;
    find('board').hidden = false;
  } catch (error) {
    showGate('No prices', error.message, 'Try again', connect, error);
  }
}

async function start() {
  showGate('Connecting', 'Looking for the message bus.');
  try {
    const { state } = await deskbus.permissions.query(PRICES);
    await deskbus.subscribe('orders.status.#', onOrder);
    if (state === 'granted') {
      await connect();
    } else {
      showGate(
        'Prices are not connected',
        'Ticker reads prices from another app. You will be asked whether it may.',
        'Connect to prices',
        connect,
      );
    }
  } catch (error) {
    showGate('No message bus', error.message, 'Try again', start, error);
  }
}

desk.run();
deskbus.onRefused(onRefused);
requestAnimationFrame(paint);
setInterval(() => rows.forEach((row) => row.takePoint()), POINT_MS);
start();
