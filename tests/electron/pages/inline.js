// The page's own script: notes what becomes of text that it makes HTML of.
'use strict';

addEventListener('load', () => {
  try {
    document.body.innerHTML = '<p>text of a stranger</p>';
    window.sink = 'took it';
  } catch (error) {
    window.sink = error.name;
  }
});
