/* 打印: the week's poster and a month of the log, as pages that a browser prints. A box without a printer has no use for it. */
(function () {
  'use strict';
  var Views = TV.Views, Desk = TV.Desk, el = Views.el, stop = Views.stop;
  TV.words({
    print: '打印', print_about: '本周节目预告，本月收看记录', print_week: '本周节目预告', print_week_about: '贴在站点门口：今后七天的学习、必看和晚上的节目', print_month: '本月收看记录', print_last: '上月收看记录', print_month_about: 'A4 横排：集中学习、人数、更正，有签字栏',
    print_hint: '电脑站点：接好打印机，打开后按 OK 打印，按返回回到电视。盒子没接打印机：用“手机助手”打开，在手机上打印或转发。'
  }, {
    print: 'Print', print_about: 'Poster of the week, log of the month', print_week: 'Poster of the week', print_week_about: 'For the door: study, what is required, and the evenings of the next seven days', print_month: 'Log of this month', print_last: 'Log of last month', print_month_about: 'A4 landscape: sessions, heads, corrections, with room to sign',
    print_hint: 'On a computer with a printer: open it and press OK; Back returns to the television. A box without a printer: open it with the phone helper, and print or share it from the phone.'
  });
  function go(path) {
    var kiosk = /[?&]kiosk=1\b/.test(window.location.search);
    window.location.assign(path + (path.indexOf('?') < 0 ? '?' : '&') + 'lang=' + TV.lang + (kiosk ? '&kiosk=1' : ''));
  }
  Desk.add({
    name: 'print', order: 80, title: 'print', about: 'print_about', footer: 'keys_desk',
    icon: 'M7 9V3h10v6M7 17H5a2 2 0 0 1-2-2v-4a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v4a2 2 0 0 1-2 2h-2M7 14h10v7H7z',
    draw: function (main) {
      var list = el('div', 'settings prints');
      var rows = [['week', 'print_week', 'print_week_about', '/print/week'], ['month', 'print_month', 'print_month_about', '/print/log'], ['last', 'print_last', 'print_month_about', '/print/log?month=last']].map(function (one) {
        var made = stop('print-' + one[0], 'setting', function () { go(one[3]); }, [el('span', '', null, el('b', '', TV.say(one[1])), el('i', '', TV.say(one[2])))]);
        list.appendChild(made);
        return [made];
      });
      main.appendChild(list);
      main.appendChild(el('p', 'desk-hint', TV.say('print_hint')));
      return rows;
    }
  });
}());
