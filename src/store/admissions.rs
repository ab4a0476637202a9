//! Admissions: the browsers that have shown the host's token, known by the hashes of their cookies.

use diesel::prelude::*;

use super::error::StoreError;
use super::pool::Store;
use super::schema::admissions;

/// Browsers that may have shown one token; beyond it, the oldest have to show it again.
const MOST: i64 = 1000;

/// One browser that has shown the token.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = admissions)]
pub struct AdmissionRow {
    /// SHA-256 of its cookie, 64 hex digits.
    pub cookie_hash: String,
    /// SHA-256 of the token that was shown, 64 hex digits.
    pub token_hash: String,
    /// When, ms since 1970.
    pub created: i64,
}

impl Store {
    /// Keeps an admission; of more than a thousand the newest stay. Once only: the same cookie again changes nothing.
    ///
    /// # Errors
    /// The database fails.
    pub async fn admit(&self, row: AdmissionRow) -> Result<(), StoreError> {
        self.change(move |connection| {
            diesel::insert_or_ignore_into(admissions::table)
                .values(row)
                .execute(connection)?;
            let surplus: Vec<String> = admissions::table
                .order((admissions::created.desc(), admissions::cookie_hash))
                .offset(MOST)
                .limit(MOST)
                .select(admissions::cookie_hash)
                .load(connection)?;
            diesel::delete(admissions::table.filter(admissions::cookie_hash.eq_any(surplus))).execute(connection)?;
            Ok(())
        })
        .await
    }

    /// The hashes of the cookies that are good with this token since `since` (ms since 1970). All others are forgotten.
    ///
    /// # Errors
    /// The database fails.
    pub async fn admissions(&self, token_hash: String, since: i64) -> Result<Vec<String>, StoreError> {
        self.change(move |connection| {
            let good = admissions::token_hash.eq(token_hash).and(admissions::created.ge(since));
            diesel::delete(admissions::table.filter(diesel::dsl::not(good.clone()))).execute(connection)?;
            Ok(admissions::table
                .filter(good)
                .select(admissions::cookie_hash)
                .load(connection)?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::pool::tests::Bench;
    use super::*;

    #[tokio::test]
    async fn cookies_of_another_token_or_of_long_ago_are_forgotten() {
        let bench = Bench::new().await;
        let admit = async |cookie: &str, token: &str, created| {
            let row = AdmissionRow {
                cookie_hash: cookie.to_owned(),
                token_hash: token.to_owned(),
                created,
            };
            bench.store.admit(row).await.unwrap();
        };
        admit("old", "now", 10).await;
        admit("of before", "before", 30).await;
        admit("good", "now", 30).await;
        admit("good", "now", 30).await;
        assert_eq!(bench.store.admissions("now".into(), 20).await.unwrap(), ["good"]);
        assert!(bench.store.admissions("before".into(), 0).await.unwrap().is_empty());
    }
}
