// Keeps what the iframe says it found.
'use strict';

addEventListener('message', ({ data }) => {
  window.heard = data;
});
