//! Environment in, a report and an exit code out.

use std::process::ExitCode;
use std::sync::Arc;

use adopat::host::Streams;
use adopat::http::reqwest_wire::ReqwestWire;
use adopat::inputs::Environment;
use adopat::inputs::request::Surroundings;
use adopat::process;
use adopat::secret::Register;
use adopat::world::{SystemClock, SystemRandom, World};
use tokio::sync::watch;

fn main() -> ExitCode {
    process::say_where_a_defect_is();
    process::keep_memory_private();
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let environment: Environment = std::env::vars_os().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = runtime.expect("the system gives a process its event queue").block_on(async {
        let (cancel, cancellation) = watch::channel(None);
        process::listen_for_signals(cancel);
        let world = |surroundings: &Surroundings| World {
            wire: Arc::new(ReqwestWire::new(surroundings.proxy.clone(), surroundings.authorities.clone())),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let streams = Streams::standard(Register::default());
        adopat_probe::run(&arguments, &environment, streams, world, cancellation).await
    });
    ExitCode::from(code)
}
