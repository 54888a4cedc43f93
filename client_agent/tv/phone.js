/* 手机助手 on the set: the QR code that opens the station's page on a phone. Small in a corner where it is useful (今晚已就绪,
   the discussion, the close, the headcount), large on its page in 站务. The listener behind it runs only while it is needed. */
(function () {
  'use strict';
  var Views = TV.Views, Desk = TV.Desk, Evening = TV.Evening, el = Views.el, byId = Views.byId;
  TV.words({
    phone: '手机助手', phone_about: '用手机扫码点名、拍照、写纪要', keys_phone: '返回 站务', phone_scan: '手机扫码点名', phone_scan_talk: '手机拍照、写纪要', phone_roll: '实到 {0} / {1}',
    phone_step_wifi: '1　手机连上本站的无线网', phone_step_scan: '2　用微信或相机扫左边的码', phone_step_tap: '3　点名字、拍照、写纪要，不用装软件', phone_local: '名单只存在这台电视里，报上去的只有人数',
    why_phone: '手机补点名', phone_away: '没连本站无线网？换成省里的网页', phone_near: '换回本站的码', phone_away_step: '1　手机用自己的流量就行', phone_away_tap: '3　报人数、拍照、写纪要；名单只在本站的码里', phone_none: '这台电视没有接入局域网，手机连不上', phone_none_how: '点名可以用遥控器的数字键：开始集中学习时输入人数'
  }, {
    phone: 'Phone helper', phone_about: 'Roll call, photo, minutes by phone', keys_phone: 'Back to the desk', phone_scan: 'Scan: roll call', phone_scan_talk: 'Photo and minutes', phone_roll: '{0} of {1} present',
    phone_step_wifi: '1　Join this station’s Wi-Fi', phone_step_scan: '2　Scan the code with the camera', phone_step_tap: '3　Tap names, take a photo: no app needed', phone_local: 'The list of names stays on this TV; only counts are reported',
    why_phone: 'called late by phone', phone_away: 'No Wi-Fi here? The province’s page instead', phone_near: 'Back to this station’s code', phone_away_step: '1　The phone’s own data will do', phone_away_tap: '3　Counts, photo, minutes; names only with the station’s code', phone_none: 'This TV is in no local network: phones cannot reach it', phone_none_how: 'Heads can be counted with the number keys when study begins'
  });
  var Phone = TV.Phone = {}, POLL_MS = 4000, told = null, askAt = 0, asking = false, drawn = '', again = null, away = false;

  /* The squares as one path, with the quiet border that readers need. */
  Phone.picture = function (squares, className) {
    var space = 'http' + '://www.w3.org/2000/svg', svg = document.createElementNS(space, 'svg'), dark = document.createElementNS(space, 'path'), d = '', side = squares.length + 8;
    squares.forEach(function (row, y) {
      row.replace(/1+/g, function (run, x) { d += 'M' + (x + 4) + ' ' + (y + 4) + 'h' + run.length + 'v1h-' + run.length + 'z'; return run; });
    });
    svg.setAttribute('viewBox', '0 0 ' + side + ' ' + side);
    svg.setAttribute('class', className);
    svg.setAttribute('shape-rendering', 'crispEdges');
    dark.setAttribute('d', d);
    svg.appendChild(dark);
    return svg;
  };

  function ask(tile) {
    var request = new XMLHttpRequest();
    if (asking || TV.perf() < askAt) { return; }
    asking = true;
    askAt = TV.perf() + POLL_MS;
    request.open('GET', '/api/phone' + (tile ? '?tile=1' : ''));
    request.timeout = 8000;
    request.onload = function () {
      asking = false;
      try { told = request.status === 200 ? JSON.parse(request.responseText) : null; } catch (error) { told = null; }
      if (tile && again && signature(told) !== signature(Desk.told.phone)) { again(); }
    };
    request.onerror = request.ontimeout = function () { asking = false; };
    request.send();
  }
  function signature(what) { return JSON.stringify([what && what.lan && what.lan.url, what && what.away && what.away.url, what && what.roll]); }
  /* The code to show: the station's own, or the province's page where there is no local network or somebody chose it. */
  function code(what) { return what && (away ? what.away || what.lan : what.lan || what.away); }

  /* --- the corner --- */
  function place(where, state, now) {
    if (where === 'study' && byId('heads').classList.contains('shown')) { return 'over'; }
    if (where === 'study' && byId('talk').classList.contains('shown')) { return 'talk'; }
    if (where === 'menu' && Views.view === 'home' && Evening.isNear(state, now)) { return Evening.offer(state).programmes.length > 2 ? 'low' : 'home'; }
    return '';
  }
  Phone.paint = function (state, now, where) {
    var tile = where === 'menu' && Views.view === 'desk-phone', at = place(where, state, now);
    if (tile || at || Evening.session(state)) { ask(tile); }
    corner(at && code(told) ? at : '');
  };
  function corner(at) {
    var box = byId('phone-corner'), now = at ? at + code(told).url + TV.lang + signature(told) : '';
    if (!box) { box = el('div'); box.id = 'phone-corner'; document.body.appendChild(box); }
    if (drawn === now) { return; }
    drawn = now;
    box.className = at ? 'shown at-' + at : '';
    box.textContent = '';
    if (!at) { return; }
    box.appendChild(Phone.picture(code(told).squares, 'qr'));
    box.appendChild(el('b', '', TV.say(at === 'talk' ? 'phone_scan_talk' : 'phone_scan')));
    if (told.roll) { box.appendChild(el('span', '', TV.say('phone_roll', told.roll.present, told.roll.expected || '–'))); }
  }

  /* --- the page in 站务 --- */
  Desk.add({
    name: 'phone', order: 15, title: 'phone', about: 'phone_about', load: '/api/phone?tile=1', footer: 'keys_phone',
    icon: 'M7 2h10v20H7zM10.500 18.500h3',
    draw: function (main, answer, acts) {
      again = acts.again;
      if (!answer) { return []; }
      var shown = code(answer), far = !!shown && shown === answer.away, words = el('div', 'phone-words'), rows = [];
      if (!shown) {
        main.appendChild(el('p', 'desk-verdict poor', TV.say('phone_none')));
        main.appendChild(el('p', 'desk-also', TV.say('phone_none_how')));
        return [];
      }
      ['phone_step_wifi', 'phone_step_scan', 'phone_step_tap'].forEach(function (step, n) {
        words.appendChild(el('p', 'phone-step', TV.say(far && n === 0 ? 'phone_away_step' : far && n === 2 ? 'phone_away_tap' : step)));
      });
      if (answer.roll) { words.appendChild(el('p', 'phone-figure', TV.say('phone_roll', answer.roll.present, answer.roll.expected || '–'))); }
      if (!far) { words.appendChild(el('p', 'phone-url', shown.url.replace(/^[a-z]+:..|\/$/g, ''))); }
      words.appendChild(el('p', 'desk-also', TV.say('phone_local')));
      if (answer.lan && answer.away) {
        var other = Views.stop('phone-other', 'button', function () { away = !away; drawn = ''; acts.redraw('phone-other'); }, [el('span', '', TV.say(far ? 'phone_near' : 'phone_away'))]);
        words.appendChild(el('div', 'buttons', null, other));
        rows.push([other]);
      }
      main.appendChild(el('div', 'phone-large', null, Phone.picture(shown.squares, 'qr'), words));
      return rows;
    }
  });
}());
