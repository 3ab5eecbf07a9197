// This script runs in a page's own world before any other: it makes `window.deskbus`. The preload
// script has it as text.
import { defineWindowDeskbus } from './window-deskbus';

defineWindowDeskbus();
