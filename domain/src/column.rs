//! What lets `storage` keep our types in columns. sqlx derives it only together with the drivers of the databases, which
//! would then be compiled a second time, for the compiler.

/// Makes `$type` a column of what it is stored as, in every database that knows that; `'v` is how long a value is borrowed.
macro_rules! column {
    ($v:lifetime, $type:ty as $stored:ty, $write:expr, $read:expr) => {
        #[cfg(feature = "sqlx")]
        impl<$v, DB: sqlx::Database> sqlx::Type<DB> for $type
        where
            $stored: sqlx::Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                <$stored as sqlx::Type<DB>>::type_info()
            }

            fn compatible(found: &DB::TypeInfo) -> bool {
                <$stored as sqlx::Type<DB>>::compatible(found)
            }
        }

        #[cfg(feature = "sqlx")]
        impl<$v, DB: sqlx::Database> sqlx::Encode<$v, DB> for $type
        where
            $stored: sqlx::Encode<$v, DB>,
        {
            fn encode_by_ref(
                &self,
                buffer: &mut DB::ArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                let write: fn(&Self) -> $stored = $write;
                <$stored as sqlx::Encode<$v, DB>>::encode(write(self), buffer)
            }
        }

        #[cfg(feature = "sqlx")]
        impl<$v, DB: sqlx::Database> sqlx::Decode<$v, DB> for $type
        where
            $stored: sqlx::Decode<$v, DB>,
        {
            fn decode(value: DB::ValueRef<$v>) -> Result<Self, sqlx::error::BoxDynError> {
                let read: fn($stored) -> Result<Self, sqlx::error::BoxDynError> = $read;
                read(<$stored as sqlx::Decode<$v, DB>>::decode(value)?)
            }
        }
    };
}
pub(crate) use column;
