/* What is asked over the whole screen, with five keys or the number keys:
   Desk.pad     a number or a PIN        {title, about, value, min, max, secret, raw (zeros in front stay), skip, then: function (text)}
   Desk.choose  one of a list            {title, about, options: [{name, text, small}], columns, then: function (name)}
   Back leaves it; what was asked before stands again. A pad that was not taken says why: answer = then(…) may be called
   later, so then gets a second argument: function (words) that shows the words and asks again. */
(function () {
  'use strict';
  var Views = TV.Views, Desk = TV.Desk, el = Views.el;
  TV.words({
    ask_pad_keys: '数字键或方向键输入　　OK 确定　　返回 不填了', ask_choose_keys: '▲ ▼ ◀ ▶ 选择　　OK 确定　　返回 不选了'
  }, {
    ask_pad_keys: 'Digits or arrows    OK confirm    Back leave', ask_choose_keys: 'Arrows choose    OK confirm    Back leave'
  });
  var PAD = ['1', '2', '3', '4', '5', '6', '7', '8', '9', 'delete', '0', 'ok'], box = null, shown = 7;

  function place() {
    if (!box) {
      box = el('div', 'ask');
      box.setAttribute('role', 'dialog');
      document.body.appendChild(box);
    }
    return box;
  }
  function cell(text, className, act) {
    var made = el('div', 'ask-cell ' + (className || ''), text);
    made.addEventListener('click', function (event) { event.stopPropagation(); act(); });
    return made;
  }
  /* A layer that draws itself anew after each key. */
  function open(ask) {
    var layer = {
      key: ask.key, digit: ask.digit,
      dropped: function () { close(layer, true); }
    };
    layer.draw = function () {
      var at = place();
      at.textContent = '';
      ask.draw(at);
      at.className = 'ask shown ' + (ask.className || '');
    };
    layer.below = Desk.asking || null;
    Desk.asking = layer;
    TV.open(layer);
    layer.draw();
    return layer;
  }
  function close(layer, all) {
    if (!layer.closed) {
      layer.closed = true;
      if (!all) { TV.close(layer); }
      if (Desk.asking === layer) { Desk.asking = all ? null : layer.below; }
    }
    if (Desk.asking) { Desk.asking.draw(); } else if (box) { box.className = 'ask'; box.textContent = ''; }
  }
  function head(at, asked, words) {
    at.appendChild(el('h2', '', asked.title));
    at.appendChild(el('p', 'ask-about' + (words ? ' poor' : ''), words || asked.about || ''));
  }

  Desk.pad = function (asked) {
    var value = asked.value || '', focus = value ? 11 : 4, words = '', layer, max = asked.max || 6;
    function press(name) {
      words = '';
      if (name === 'delete') { value = value.slice(0, -1); }
      else if (name === 'ok') { done(); }
      else if (value.length < max) { value = asked.secret || asked.raw ? value + name : (value + name).replace(/^0+(?=\d)/, ''); }
    }
    function done() {
      if (value.length < (asked.min === undefined ? 1 : asked.min)) { return; }
      close(layer);
      asked.then(value, function (again) { words = again; value = ''; focus = 4; layer = reopen(); });
    }
    function reopen() { return open(ask); }
    function move(key) {
      if (key === 'left' && focus % 3) { focus--; } else if (key === 'right' && focus % 3 < 2) { focus++; }
      else if (key === 'up' && focus > 2) { focus -= 3; } else if (key === 'down' && focus < 9) { focus += 3; }
    }
    var ask = {
      className: 'pad-ask',
      key: function (key, repeat) {
        if (key === 'back') { if (!repeat) { close(layer); if (asked.left) { asked.left(); } } return; }
        if (key === 'ok') { if (!repeat) { press(PAD[focus]); } } else { move(key); }
        if (!layer.closed) { layer.draw(); }
      },
      digit: function (digit) { press(digit); focus = 11; layer.draw(); },
      draw: function (at) {
        head(at, asked, words);
        var typed = el('div', 'ask-typed'), length = asked.secret ? Math.max(asked.min || 4, value.length) : 0, i;
        if (asked.secret) { for (i = 0; i < length; i++) { typed.appendChild(el('i', i < value.length ? 'on' : '')); } } else { typed.appendChild(el('b', '', value || '–')); }
        at.appendChild(typed);
        var keys = el('div', 'ask-pad');
        PAD.forEach(function (name, index) {
          keys.appendChild(cell(name === 'delete' ? '◀' : name === 'ok' ? 'OK' : name, 'ask-key' + (index === focus ? ' focus' : '') + (name === 'ok' ? ' gold' : ''),
            function () { press(name); if (!layer.closed) { layer.draw(); } }));
        });
        at.appendChild(keys);
        at.appendChild(el('small', '', TV.say('ask_pad_keys')));
      }
    };
    layer = open(ask);
  };

  Desk.choose = function (asked) {
    var columns = asked.columns || 1, focus = 0, layer, first = 0, options = asked.options;
    options.forEach(function (one, index) { if (one.name === asked.value) { focus = index; } });
    function done() { close(layer); asked.then(options[focus].name); }
    var ask = {
      className: 'choose-ask' + (columns > 1 ? ' many' : ''),
      key: function (key, repeat) {
        if (key === 'back') { if (!repeat) { close(layer); if (asked.left) { asked.left(); } } return; }
        if (key === 'ok') { if (!repeat) { done(); } return; }
        if (key === 'left' && focus % columns) { focus--; } else if (key === 'right' && focus % columns < columns - 1 && focus < options.length - 1) { focus++; }
        else if (key === 'up' && focus >= columns) { focus -= columns; } else if (key === 'down') { focus = Math.min(options.length - 1, focus + columns); }
        layer.draw();
      },
      draw: function (at) {
        head(at, asked);
        var list = el('div', 'ask-list'), row = Math.floor(focus / columns), rows = Math.ceil(options.length / columns);
        first = Math.max(0, Math.min(Math.max(first, row - shown + 1), row, Math.max(0, rows - shown)));
        options.forEach(function (one, index) {
          var at_row = Math.floor(index / columns);
          if (at_row < first || at_row >= first + shown) { return; }
          var made = cell('', 'ask-option' + (index === focus ? ' focus' : ''), function () { focus = index; done(); });
          made.style.width = (100 / columns).toFixed(3) + '%';
          made.appendChild(el('span', '', one.text));
          if (one.small) { made.appendChild(el('small', '', one.small)); }
          list.appendChild(made);
        });
        at.appendChild(el('div', 'ask-more', first > 0 ? '▲' : ''));
        at.appendChild(list);
        at.appendChild(el('div', 'ask-more', first + shown < rows ? '▼' : ''));
        at.appendChild(el('small', '', TV.say('ask_choose_keys')));
      }
    };
    layer = open(ask);
  };
  Desk.layer = open;
  Desk.leave = close;
}());
