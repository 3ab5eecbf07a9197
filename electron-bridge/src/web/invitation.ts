// A bar in a page whose browser was not let in, with which a person has it let in at the shell.
import { asDeskbusError } from '../common/error';
import { askPerson } from './pairing';
import { told } from './tab-name';
import { PROOF } from './words';

/** In the language of the person at the shell. */
interface Words {
  statement: string;
  button: string;
  compare: string;
  direction: string;
}

const LOOK = `
  :host {
    all: initial; position: fixed; z-index: 2147483647; inset: auto 0 0 0;
    display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; justify-content: center;
    padding: 12px 16px; background: #1b1f27; color: #f2f4f8;
    font: 14px/1.4 system-ui, sans-serif; border-top: 1px solid #3a4150;
  }
  button {
    font: inherit; font-weight: 600; padding: 6px 14px; border: 0; border-radius: 7px;
    background: #7fb0ff; color: #10131a; cursor: pointer;
  }
  button:focus-visible { outline: 2px solid #f2f4f8; outline-offset: 2px; }
  output { font-size: 24px; font-weight: 600; letter-spacing: 0.04em; }
`;

/** Whether there is somebody to ask; nobody is asked before a click. */
export function invite(): boolean {
  const invitation = told('invitation');
  if (invitation === '') return false;
  const words = JSON.parse(invitation) as Words;
  if (document.readyState !== 'loading') draw(words);
  else document.addEventListener('DOMContentLoaded', () => draw(words));
  return true;
}

function draw({ statement, button: label, compare, direction }: Words): void {
  const host = document.createElement('div');
  host.dir = direction;
  const root = host.attachShadow({ mode: 'open' });
  const look = new CSSStyleSheet();
  look.replaceSync(LOOK);
  root.adoptedStyleSheets = [look];
  const status = document.createElement('span');
  status.setAttribute('role', 'status');
  status.textContent = statement;
  const button = document.createElement('button');
  button.textContent = label;
  const number = document.createElement('output');
  number.hidden = true;
  button.addEventListener('click', () => {
    button.hidden = true;
    const show = (digits: string): void => {
      status.textContent = compare;
      number.textContent = digits;
      number.hidden = false;
    };
    askPerson('', 'same-origin', show).then(letIn, (error: unknown) => {
      const { message, action } = asDeskbusError(error);
      status.textContent = `${message} ${action}`;
      number.hidden = true;
      button.hidden = false;
    });
  });
  root.append(status, number, button);
  document.body.append(host);
}

/** The browser has its cookie; the page is loaded anew, as one that was let in. */
function letIn({ proof }: { proof?: string }): void {
  localStorage.setItem(PROOF, proof ?? '');
  // Going to the same address with a fragment would load nothing.
  if (location.hash === '') location.replace(location.href);
  else location.reload();
}
