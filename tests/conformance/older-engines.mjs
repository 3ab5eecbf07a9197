// Node's globals, and what Chrome 83 (Electron 9) has not of what the suite calls.
import process from 'process/browser.js';
import { Buffer } from 'buffer/';

export { process, Buffer };

globalThis.Element.prototype.replaceChildren ??= function (...children) {
  this.textContent = '';
  this.append(...children);
};

Array.prototype.at ??= function (index) {
  return this[index < 0 ? this.length + index : index];
};

crypto.randomUUID ??= () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};
