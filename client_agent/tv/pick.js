/* One of a few large answers over the whole screen: arrows choose, OK picks, 返回 leaves without an answer.

     TV.pick({kicker, title, note, options: [{key, label, sub}], picked: function (key) {}, left: function () {}}) */
(function () {
  'use strict';
  var Views = TV.Views, byId = Views.byId, setText = Views.setText, el = Views.el, show = Views.show;
  TV.words({
    keys_pick: '◀ ▶ ▲ ▼ 选择　　OK 确定　　返回'
  }, {
    keys_pick: '◀ ▶ ▲ ▼ move        OK select        Back'
  });
  var COLUMNS = 3;

  TV.pick = function (asked) {
    var at = 0, wide = asked.options.length > 4 ? COLUMNS : 2, made = [];
    var layer = { pick: true };
    function focus(index) {
      at = Math.max(0, Math.min(made.length - 1, index));
      made.forEach(function (one, i) { one.classList.toggle('focus', i === at); });
    }
    function close() { show('pick', false); TV.close(layer); }
    function choose() { var chosen = asked.options[at]; close(); asked.picked(chosen.key); }
    layer.key = function (key, repeat) {
      var column = at % wide;
      if (key === 'left') { if (column > 0) { focus(at - 1); } }
      else if (key === 'right') { if (column < wide - 1) { focus(at + 1); } }
      else if (key === 'up') { if (at >= wide) { focus(at - wide); } }
      else if (key === 'down') { if (Math.floor(at / wide) < Math.floor((made.length - 1) / wide)) { focus(at + wide); } }
      else if (key === 'ok') { if (!repeat) { choose(); } }
      else if (key === 'back' && !repeat) { close(); if (asked.left) { asked.left(); } }
    };
    layer.dropped = function () { show('pick', false); };
    setText('pick-kicker', asked.kicker || '');
    setText('pick-title', asked.title);
    setText('pick-note', asked.note || '');
    setText('pick-keys', TV.say('keys_pick'));
    var box = byId('pick-options');
    box.textContent = '';
    box.className = 'pick-options wide-' + wide;
    asked.options.forEach(function (option, index) {
      var one = el('div', 'pick-one', null, el('b', '', option.label), option.sub ? el('span', '', option.sub) : null);
      one.addEventListener('click', function (event) { event.stopPropagation(); focus(index); choose(); });
      made.push(one);
      box.appendChild(one);
    });
    focus(0);
    show('pick', true);
    TV.open(layer);
    return layer;
  };
}());
