/* The sheet on the screen: OK prints it, Back goes to the television; so does an emergency, and ten minutes without a key. */
(function () {
  'use strict';
  var OK = { Enter: 1, Select: 1, Accept: 1 }, BACK = { Escape: 1, Esc: 1, Backspace: 1, GoBack: 1, BrowserBack: 1, XF86Back: 1 };
  var PATIENCE_MS = 600000, pressedAt = Date.now(), kiosk = /[?&]kiosk=1\b/.test(window.location.search);
  function leave() { window.location.replace(kiosk ? '/?kiosk=1' : '/'); }
  document.addEventListener('keydown', function (event) {
    var code = event.keyCode;
    pressedAt = Date.now();
    if (event.ctrlKey || event.altKey || event.metaKey) { return; }
    if (OK[event.key] || code === 13 || code === 23) { event.preventDefault(); window.print(); }
    else if (BACK[event.key] || code === 27 || code === 8 || code === 4 || code === 166 || code === 461 || code === 10009) { event.preventDefault(); leave(); }
    else if (code === 38 || code === 40) { event.preventDefault(); window.scrollBy(0, code === 38 ? -400 : 400); }
  });
  setInterval(function () {
    var request = new XMLHttpRequest();
    if (Date.now() - pressedAt > PATIENCE_MS) { leave(); return; }
    request.open('GET', '/api/state');
    request.onload = function () {
      var state = null;
      try { state = JSON.parse(request.responseText); } catch (error) { return; }
      if (state && state.item && state.item.source === 'emergency') { leave(); }
    };
    request.send();
  }, 5000);
}());
