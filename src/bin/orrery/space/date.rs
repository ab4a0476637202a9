//! The calendar.

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Days from J2000 to a number of seconds since 1970.
pub fn days_of_unix(seconds: f64) -> f64 {
    seconds / 86_400.0 - 10_957.5
}

/// The date of a day since J2000, such as `21 Nov 2026` (Gregorian; H. Hinnant, "chrono-compatible low-level date
/// algorithms", civil_from_days).
pub fn text(days: f64) -> String {
    // Whole days since 0000-03-01.
    let z = (days + 10_957.5).floor() as i64 + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, (mp + 2) % 12);
    let year = yoe + era * 400 + i64::from(month < 2);
    format!(
        "{day} {} {year}",
        usize::try_from(month).ok().and_then(|m| MONTHS.get(m)).unwrap_or(&"")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_have_their_dates() {
        assert_eq!(text(0.0), "1 Jan 2000");
        assert_eq!(text(-0.6), "31 Dec 1999");
        assert_eq!(text(59.0), "29 Feb 2000");
        assert_eq!(text(days_of_unix(0.0)), "1 Jan 1970");
        assert_eq!(text(days_of_unix(1_795_219_200.0)), "21 Nov 2026");
        assert_eq!(text(-36_524.5), "1 Jan 1900");
    }
}
