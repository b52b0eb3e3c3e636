//! Which instruction set the kernels use: the best the machine has, or the one `WHETSTONE_ISA` names.

use std::sync::OnceLock;

use crate::error::{Error, Result};

/// From the fastest to the one that runs anywhere. Results are equal bit for bit within one path, not between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    Amx,
    Avx512Bf16,
    Avx512,
    Avx2,
    Neon,
    Portable,
}

impl Isa {
    pub const ALL: [Isa; 6] = [Isa::Amx, Isa::Avx512Bf16, Isa::Avx512, Isa::Avx2, Isa::Neon, Isa::Portable];

    pub fn name(self) -> &'static str {
        match self {
            Isa::Amx => "amx",
            Isa::Avx512Bf16 => "avx512bf16",
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Neon => "neon",
            Isa::Portable => "portable",
        }
    }

    /// Whether this machine can run the path.
    pub fn available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("fma");
            match self {
                Isa::Amx => avx512 && is_x86_feature_detected!("avx512bf16") && crate::gemm::amx_permitted(),
                Isa::Avx512Bf16 => avx512 && is_x86_feature_detected!("avx512bf16"),
                Isa::Avx512 => avx512,
                Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
                Isa::Neon => false,
                Isa::Portable => true,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        match self {
            Isa::Neon => cfg!(target_arch = "aarch64"),
            Isa::Portable => true,
            _ => false,
        }
    }
}

static CHOSEN: OnceLock<Result<Isa>> = OnceLock::new();

// A path that is not asked for is not looked at: the system is asked to permit AMX only where it will be used.
fn choose() -> Result<Isa> {
    let best = || Isa::ALL.into_iter().find(|isa| isa.available()).unwrap_or(Isa::Portable);
    let Some(wanted) = wanted() else {
        return Ok(best());
    };
    Isa::ALL.into_iter().find(|isa| isa.name() == wanted && isa.available()).ok_or_else(|| {
        let names: Vec<&str> = Isa::ALL.into_iter().filter(|isa| isa.available()).map(Isa::name).collect();
        Error::new(format!("WHETSTONE_ISA is '{wanted}'; this machine runs: {}", names.join(", ")))
    })
}

/// What `WHETSTONE_ISA` names; an empty one names nothing.
fn wanted() -> Option<String> {
    std::env::var("WHETSTONE_ISA").ok().filter(|wanted| !wanted.is_empty())
}

/// The path of this process, or why `WHETSTONE_ISA` cannot be followed.
pub fn checked_isa() -> Result<Isa> {
    CHOSEN.get_or_init(choose).clone()
}

/// The path of this process. A model cannot be opened when `WHETSTONE_ISA` is wrong, so kernels need not ask again.
pub fn isa() -> Isa {
    match checked_isa() {
        Ok(isa) => isa,
        Err(error) => panic!("{error}"),
    }
}

/// `a * b + c`, fused where the path has the instruction.
#[inline(always)]
pub fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Defines a function whose body is compiled once for each instruction set and chosen at run time; it may have one type parameter. The
/// body may use the constant `FMA`. Written so that the compiler vectorises it: fixed lane counts, no early exits.
macro_rules! by_isa {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident $(<$type:ident: $bound:path>)? ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name $(<$type: $bound>)? ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<const FMA: bool $(, $type: $bound)?>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
            fn avx512 $(<$type: $bound>)? ($($arg: $ty),*) $(-> $ret)? { body::<true $(, $type)?>($($arg),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2 $(<$type: $bound>)? ($($arg: $ty),*) $(-> $ret)? { body::<true $(, $type)?>($($arg),*) }
            match $crate::isa::isa() {
                // SAFETY: the path is chosen only on a machine that reports these features.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Isa::Amx | $crate::isa::Isa::Avx512Bf16 | $crate::isa::Isa::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Isa::Avx2 => unsafe { avx2($($arg),*) },
                $crate::isa::Isa::Neon => body::<true $(, $type)?>($($arg),*),
                _ => body::<false $(, $type)?>($($arg),*),
            }
        }
    };
}
pub(crate) use by_isa;

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs all tests of this crate anew in a process for each path.
    #[test]
    fn every_test_holds_on_every_path_of_this_machine() {
        if wanted().is_some() {
            return;
        }
        let program = std::env::current_exe().expect("the test program");
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            let run = std::process::Command::new(&program)
                .env("WHETSTONE_ISA", isa.name())
                .output()
                .expect("a child process");
            assert!(run.status.success(), "{}: {}", isa.name(), String::from_utf8_lossy(&run.stdout));
        }
    }
}
