//! Work on the engine's thread and promises of its results.

use std::sync::OnceLock;

use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, Error, JsDeferred, Result, Status};
use whetstone_engine::error::{Error as EngineError, Result as EngineResult};
use whetstone_engine::session::Runtime;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

pub fn runtime() -> &'static Runtime {
    RUNTIME.get_or_init(Runtime::start)
}

pub fn failure(error: EngineError) -> Error {
    Error::new(Status::GenericFailure, error.to_string())
}

pub type Deferred<T> = JsDeferred<T, Box<dyn FnOnce(Env) -> Result<T>>>;

pub fn settle<T: ToNapiValue + 'static>(deferred: Deferred<T>, result: EngineResult<T>) {
    match result {
        Ok(value) => deferred.resolve(Box::new(move |_| Ok(value))),
        Err(error) => deferred.reject(failure(error)),
    }
}

/// Runs `work` on the engine's thread and gives back a promise of what `arrive` makes of its result in JavaScript's thread.
pub fn promise<'env, R: 'static, T: ToNapiValue + 'static>(
    env: &'env Env,
    work: impl FnOnce() -> EngineResult<R> + Send + 'static,
    arrive: impl FnOnce(&Env, R) -> T + Send + 'static,
) -> Result<Object<'env>> {
    let (deferred, object) = env.create_deferred::<T, Box<dyn FnOnce(Env) -> Result<T>>>()?;
    runtime().submit(work, move |result| match result {
        Ok(value) => deferred.resolve(Box::new(move |env| Ok(arrive(&env, value)))),
        Err(error) => deferred.reject(failure(error)),
    });
    Ok(object)
}
