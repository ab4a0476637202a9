//! The characters that have a key of their own on every display, the most useful first.
//!
//! Which ones: what people write between Lisbon and Vladivostok, and the signs of ordinary typography. The keys of the
//! display's own layout have the ASCII ones. As many as there are keys for are taken, from the beginning.

/// Pairs of small and capital letters, so that Shift means what it does elsewhere; four characters a keycode.
pub(super) const FIXED: &str = concat!(
    // Western Europe.
    "äÄöÖüÜßẞéÉèÈêÊëËàÀâÂáÁãÃåÅæÆçÇñÑíÍîÎïÏìÌóÓôÔòÒõÕøØœŒúÚùÙûÛýÝÿŸðÐþÞ",
    // Typography and currencies.
    "€£–—‘’“”„‚…•«»‹›°§¡¿²³µ·±×÷º¥©®™",
    // Russian, Ukrainian, Belarusian.
    "аАбБвВгГдДеЕёЁжЖзЗиИйЙкКлЛмМнНоОпПрРсСтТуУфФхХцЦчЧшШщЩъЪыЫьЬэЭюЮяЯ",
    "іІїЇєЄґҐўЎ",
    // Greek.
    "αΑβΒγΓδΔεΕζΖηΗθΘιΙκΚλΛμΜνΝξΞοΟπΠρΡσΣτΤυΥφΦχΧψΨωΩάΆέΈήΉίΊόΌύΎώΏςϊϋΐΰ",
    // Central Europe, Turkey, the Baltic.
    "ąĄćĆęĘłŁńŃśŚźŹżŻčČďĎěĚňŇřŘšŠťŤůŮžŽőŐűŰăĂșȘțȚşŞţŢđĐğĞıİ",
    "āĀēĒģĢīĪķĶļĻņŅūŪėĖįĮųŲ",
    // Signs.
    "†‡′″←→↑↓≠≤≥≈∞√\u{a0}−¼½¾¢¤¦¨¯¶¸´¬ª¹",
    // Serbian and Macedonian; the rest of the Latin alphabets.
    "ђЂјЈљЉњЊћЋџЏѓЃќЌѕЅĺĹľĽŕŔĉĈĝĜĥĤĵĴŝŜŭŬŵŴŷŶ",
);
