/* The enrolment code with five keys, or a keyboard. Old engines: no arrow functions, no fetch. */
(function () {
  'use strict';
  var LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  var ADDRESS = '0123456789abcdefghijklmnopqrstuvwxyz.:/-';
  var LENGTH = 16;
  var code = '', server = '', field = 'code', busy = false, at = [0, 0], rows = [];

  function el(id) { return document.getElementById(id); }

  function request(method, path, body, then) {
    var ask = new XMLHttpRequest();
    ask.open(method, path);
    ask.timeout = 90000;
    ask.onload = function () { var said = null; try { said = JSON.parse(ask.responseText); } catch (e) { said = null; } then(said); };
    ask.onerror = ask.ontimeout = function () { then(null); };
    if (body) { ask.setRequestHeader('Content-Type', 'application/json'); }
    ask.send(body ? JSON.stringify(body) : null);
  }

  function show() {
    var cells = el('cells'), i, cell;
    cells.textContent = '';
    for (i = 0; i < LENGTH; i += 1) {
      if (i && i % 4 === 0) { cell = document.createElement('i'); cell.className = 'gap'; cell.textContent = '-'; cells.appendChild(cell); }
      cell = document.createElement('i');
      cell.textContent = code.charAt(i);
      if (field === 'code' && i === Math.min(code.length, LENGTH - 1)) { cell.className = 'next'; }
      cells.appendChild(cell);
    }
    el('server').textContent = server || 'http://';
    el('server').className = field === 'server' ? 'next' : '';
    var go = el('go');
    if (go) { go.disabled = busy || code.length !== LENGTH || !server; }
  }

  function say(text, working) { var line = el('message'); line.textContent = text; line.className = working ? 'busy' : ''; }

  function type(letter) {
    if (busy) { return; }
    if (field === 'server') { server += letter; } else if (code.length < LENGTH) { code += letter; }
    say('');
    show();
    if (field === 'code' && code.length === LENGTH && server) { at = [rows.length - 1, rows[rows.length - 1].length - 1]; focus(); }
  }

  function erase() {
    if (busy) { return; }
    if (field === 'server') { server = server.slice(0, -1); } else { code = code.slice(0, -1); }
    show();
  }

  function turn() { field = field === 'code' ? 'server' : 'code'; draw(); }

  function send() {
    if (busy || code.length !== LENGTH || !server) { return; }
    busy = true;
    say('正在注册… enrolling…', true);
    show();
    request('POST', '/api/enrol', { server: server, code: code }, function (said) {
      busy = false;
      if (said && said.ok) { finish(said); return; }
      say(said ? said.message : '本机程序没有应答，请重新启动 / no answer from this machine');
      show();
      focus();
    });
  }

  function finish(said) {
    el('work').hidden = true;
    el('done').hidden = false;
    el('station').textContent = said.station;
    window.setTimeout(wait, 2500);
  }

  /* The page comes back as the television once the agent has taken the port. */
  function wait() {
    request('GET', '/api/state', null, function (said) { if (said && said.version) { window.location.reload(); } else { window.setTimeout(wait, 700); } });
  }

  function button(text, kind, act) {
    var made = document.createElement('button');
    made.type = 'button';
    made.textContent = text;
    if (kind) { made.className = kind; }
    made.addEventListener('click', act);
    return made;
  }

  function draw() {
    var letters = field === 'code' ? LETTERS : ADDRESS, wide = field === 'code' ? 11 : 10, pad = el('pad'), row, i, letter;
    pad.textContent = '';
    rows = [];
    for (i = 0; i < letters.length; i += wide) {
      row = [];
      letters.slice(i, i + wide).split('').forEach(function (one) { letter = one; row.push(button(one, '', function () { type(one); })); });
      rows.push(row);
    }
    var go = button('注册', 'wide main', send);
    go.id = 'go';
    rows.push([button('删除', 'wide', erase), button(field === 'code' ? '改网址' : '输入注册码', 'wide', turn), go]);
    rows.forEach(function (line) {
      var box = document.createElement('div');
      box.className = 'row';
      line.forEach(function (one) { box.appendChild(one); });
      pad.appendChild(box);
    });
    at = [0, 0];
    show();
    focus();
  }

  function focus() {
    var line = rows[at[0]];
    at[1] = Math.max(0, Math.min(at[1], line.length - 1));
    line[at[1]].focus();
  }

  function move(down, right) {
    var last = rows[at[0]].length, row = at[0] + down;
    if (row < 0 || row >= rows.length) { return; }
    if (down) { at = [row, Math.round(at[1] * (rows[row].length - 1) / Math.max(1, last - 1))]; } else { at[1] = (at[1] + right + last) % last; }
    focus();
  }

  var NAMES = { 37: 'ArrowLeft', 38: 'ArrowUp', 39: 'ArrowRight', 40: 'ArrowDown', 13: 'Enter', 8: 'Backspace', 27: 'Escape' };
  document.addEventListener('keydown', function (event) {
    var key = event.key && event.key !== 'Unidentified' ? event.key : NAMES[event.keyCode];
    if (key === 'ArrowLeft') { move(0, -1); } else if (key === 'ArrowRight') { move(0, 1); } else if (key === 'ArrowUp') { move(-1, 0); } else if (key === 'ArrowDown') { move(1, 0); } else if (key === 'Backspace') { erase(); } else if (key === 'Enter') { if (document.activeElement && document.activeElement.click) { document.activeElement.click(); } } else if (key && key.length === 1 && !event.ctrlKey && !event.metaKey) {
      var letter = field === 'code' ? key.toUpperCase().replace('O', '0').replace(/[IL]/, '1') : key.toLowerCase();
      if ((field === 'code' ? LETTERS : ADDRESS).indexOf(letter) >= 0) { type(letter); }
    } else { return; }
    event.preventDefault();
  });
  document.addEventListener('focusin', function (event) {
    rows.forEach(function (line, row) { var found = line.indexOf(event.target); if (found >= 0) { at = [row, found]; } });
  });
  document.addEventListener('paste', function (event) {
    var text = (event.clipboardData ? event.clipboardData.getData('text') : '').trim();
    if (field === 'server') { server = text; } else { code = text.toUpperCase().replace(/[^0-9A-Z]/g, '').slice(0, LENGTH); }
    show();
  });

  request('GET', '/api/setup', null, function (said) { server = said ? said.server : ''; if (!server) { field = 'code'; } draw(); });
}());
