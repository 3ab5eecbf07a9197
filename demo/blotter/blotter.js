/* global desk, deskbus */
// An order ticket that other apps may fill, and the orders of this session. Orders are filled
// here, by one rule: a buy when the ask is at or below its limit, a sell when the bid is at or
// above.
'use strict';

const PREFILL_WASH = 'rgba(108, 178, 255, 0.4)';
const PREFILL_MS = 1200;
const DEFAULT_QUANTITY = { fx: 1000000, equity: 500 };

const find = (id) => document.getElementById(id);
const quotes = new Map();
const orders = [];

const side = () => document.querySelector('input[name=side]:checked').value;
const quote = () => quotes.get(find('symbol').value);
const amount = (value) => value.toLocaleString('en-GB');
const number = (text) => Number(text.replace(/[,\s]/g, '') || NaN);

function onQuote({ payload }) {
  desk.flow.add(payload.time);
  const known = quotes.has(payload.symbol);
  quotes.set(payload.symbol, payload);
  if (!known) addInstrument(payload);
  if (payload.symbol === find('symbol').value) showQuote(payload);
  for (const order of orders) {
    if (order.symbol === payload.symbol) consider(order, payload);
  }
}

function addInstrument({ symbol, name }) {
  const option = desk.element('option', '', name === symbol ? symbol : `${symbol} · ${name}`);
  option.value = symbol;
  find('symbol').append(option);
  if (find('symbol').disabled) {
    find('symbol').disabled = false;
    chooseInstrument();
  }
}

function chooseInstrument() {
  const { kind, decimals, ask, bid } = quote();
  find('quantity').value = amount(DEFAULT_QUANTITY[kind]);
  find('limit').value = (side() === 'BUY' ? ask : bid).toFixed(decimals);
  showQuote(quote());
  showSubmit();
}

function showQuote({ decimals, bid, ask, last }) {
  desk.setText(find('bid'), bid.toFixed(decimals));
  desk.setText(find('ask'), ask.toFixed(decimals));
  desk.setText(find('last'), last.toFixed(decimals));
}

function showSubmit() {
  const button = find('submit');
  if (!quote()) return;
  button.disabled = false;
  button.dataset.side = side();
  const quantity = number(find('quantity').value);
  const much = quantity > 0 ? ` ${amount(quantity)}` : '';
  desk.setText(button, `${side() === 'BUY' ? 'Buy' : 'Sell'}${much} ${quote().symbol}`);
}

/** Says what is wrong with the ticket, or nothing. */
function problem() {
  const quantity = number(find('quantity').value);
  const limit = number(find('limit').value);
  const wrongQuantity = !(Number.isInteger(quantity) && quantity > 0);
  const wrongLimit = !(limit > 0);
  find('quantity').setAttribute('aria-invalid', String(wrongQuantity));
  find('limit').setAttribute('aria-invalid', String(wrongLimit));
  if (wrongQuantity) return 'Quantity must be a whole number above 0.';
  if (wrongLimit) return 'Limit price must be a number above 0.';
  return '';
}

function submit(event) {
  event.preventDefault();
  const wrong = problem();
  desk.setText(find('problem'), wrong);
  if (wrong) return;
  const { symbol, decimals } = quote();
  const order = {
    id: String(orders.length + 1).padStart(4, '0'),
    time: Date.now(),
    side: side(),
    symbol,
    decimals,
    quantity: number(find('quantity').value),
    limit: number(find('limit').value),
    status: 'Working',
  };
  orders.push(order);
  order.cells = addLine(order);
  report(order);
  consider(order, quote());
}

function consider(order, { bid, ask, last }) {
  desk.setText(order.cells.last, last.toFixed(order.decimals));
  if (order.status !== 'Working') return;
  const price = order.side === 'BUY' ? ask : bid;
  const crossed = order.side === 'BUY' ? ask <= order.limit : bid >= order.limit;
  if (crossed) settle(order, 'Filled', price);
}

function settle(order, status, price) {
  order.status = status;
  order.price = price;
  order.settled = Date.now();
  order.cells.cancel.remove();
  report(order);
}

/** Shows an order's status and tells it on the bus. */
function report(order) {
  const { id, symbol, quantity, status, price, decimals, cells } = order;
  const at = price === undefined ? '' : ` at ${price.toFixed(decimals)}`;
  cells.status.className = `status ${status}`;
  desk.setText(cells.status, status + at);
  if (order.settled) cells.status.title = `${status} at ${desk.clockTime(order.settled)}`;
  const verb = order.side === 'BUY' ? 'buy' : 'sell';
  const text = `${verb} ${amount(quantity)} ${symbol}, ${status.toLowerCase()}${at}`;
  deskbus.publish(`orders.status.${id}`, { id, symbol, side: order.side, status, price, text });
}

function addLine(order) {
  const line = desk.element('tr');
  line.dataset.order = order.id;
  const cell = (className, text) => {
    const made = desk.element('td', className, text);
    line.append(made);
    return made;
  };
  cell('time', desk.clockTime(order.time));
  cell('id', order.id);
  cell(`side-word ${order.side}`, order.side === 'BUY' ? 'Buy' : 'Sell');
  cell('instrument', order.symbol);
  cell('number', amount(order.quantity));
  cell('number', order.limit.toFixed(order.decimals));
  const last = cell('number last live', '');
  const status = cell('status');
  const cancel = desk.element('button', 'cancel', 'Cancel');
  cancel.type = 'button';
  cancel.addEventListener('click', () => settle(order, 'Cancelled'));
  cell('').append(cancel);
  find('orders').prepend(line);
  find('empty').hidden = true;
  return { last, status, cancel };
}

/** Fills the ticket for another app; what comes back is what that app shows. */
function prefill(wish, message) {
  const { symbol, side: wanted, price } = wish;
  const known = quotes.get(symbol);
  if (!known || !['BUY', 'SELL'].includes(wanted) || !(price > 0)) {
    throw new Error('Blotter can’t trade this.');
  }
  document.querySelector(`input[name=side][value=${wanted}]`).checked = true;
  find('symbol').value = symbol;
  chooseInstrument();
  find('limit').value = price.toFixed(known.decimals);
  desk.setText(find('problem'), '');
  desk.setText(
    find('source'),
    `Ticket filled by ${message.sender.app} at ${desk.clockTime(message.timestamp)}`,
  );
  for (const id of ['symbol', 'limit']) desk.flash(find(id), PREFILL_WASH, PREFILL_MS);
  return { text: 'the ticket is filled' };
}

async function start() {
  desk.run();
  find('ticket').addEventListener('submit', submit);
  find('symbol').addEventListener('change', chooseInstrument);
  find('quantity').addEventListener('input', showSubmit);
  document.querySelectorAll('input[name=side]').forEach((choice) => {
    choice.addEventListener('change', chooseInstrument);
  });
  try {
    await deskbus.respond('orders.prefill', prefill);
    await deskbus.subscribe('prices.#', onQuote);
  } catch (error) {
    desk.setText(find('problem'), `${error.message} ${error.action} (${error.code})`);
  }
}

start();
