use super::*;

#[test]
fn the_rules_make_a_program_of_whole_instructions_that_the_kernel_has_room_for() {
    for filter in [Filter::App, Filter::Nesting, Filter::Helper] {
        build(filter, EXECUTION).unwrap();
        let program = program(filter);
        assert_eq!(program.len() % size_of::<libc::sock_filter>(), 0);
        assert!(program.len() / size_of::<libc::sock_filter>() < 4096);
    }
}

/// How calls end on a thread of its own with this filter, which goes with it.
fn under<T: Send + 'static>(filter: Filter, calls: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        nix::sys::prctl::set_no_new_privs().unwrap();
        seccompiler::apply_filter(&of(filter, &[])).unwrap();
        calls()
    });
    thread.join().unwrap()
}

/// The error of a call, 0 where there is none.
fn errno_of(result: libc::c_long) -> i32 {
    // SAFETY: always valid.
    if result < 0 {
        unsafe { *libc::__errno_location() }
    } else {
        0
    }
}

fn socket(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> i32 {
    // SAFETY: plain system calls; a descriptor is closed at once.
    unsafe {
        let socket = libc::socket(family, kind, protocol);
        let errno = errno_of(socket.into());
        libc::close(socket);
        errno
    }
}

#[test]
fn of_netlink_and_ip_even_who_may_nest_finds_only_what_programs_use() {
    for filter in [Filter::App, Filter::Nesting] {
        let (netlink, kinds, families) = under(filter, || {
            let netlink = (0..32).filter(|&protocol| socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol) != libc::EPERM);
            let usual = [
                (libc::SOCK_STREAM, 0),
                (
                    libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
                    libc::IPPROTO_TCP,
                ),
                (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, libc::IPPROTO_UDP),
            ];
            let unusual = [
                (libc::SOCK_SEQPACKET, libc::IPPROTO_SCTP),
                (libc::SOCK_STREAM, libc::IPPROTO_SCTP),
                (libc::SOCK_DCCP | libc::SOCK_CLOEXEC, 0),
                (libc::SOCK_DGRAM, 115),
                (libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE),
            ];
            let results = |kinds: &[(i32, i32)]| {
                let both = kinds.iter().flat_map(|&(kind, protocol)| {
                    [libc::AF_INET, libc::AF_INET6].map(|family| socket(family, kind, protocol))
                });
                both.collect::<Vec<_>>()
            };
            let families = [libc::AF_PACKET, libc::AF_ALG, libc::AF_TIPC, libc::AF_VSOCK];
            (
                netlink.collect::<Vec<_>>(),
                (results(&usual), results(&unusual)),
                families.map(|family| socket(family, libc::SOCK_SEQPACKET, 0)),
            )
        });
        assert_eq!(netlink, [libc::NETLINK_ROUTE, libc::NETLINK_KOBJECT_UEVENT]);
        assert!(kinds.0.iter().all(|&errno| errno != libc::EPERM), "{kinds:?}");
        assert!(kinds.1.iter().all(|&errno| errno == libc::EPERM), "{kinds:?}");
        assert_eq!(families, [libc::EPERM; 4]);
    }
}

#[test]
fn packet_filters_are_not_set_by_options_of_ip_either() {
    let seen = under(Filter::Nesting, || {
        // SAFETY: plain system calls on a socket that is closed at the end.
        unsafe {
            let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
            let set = |level, option: libc::c_int| {
                let value: libc::c_int = 1;
                let result = libc::setsockopt(socket, level, option, (&raw const value).cast(), 4);
                errno_of(result.into())
            };
            let seen = [
                set(libc::IPPROTO_IP, 64),
                set(libc::IPPROTO_IPV6, 64),
                set(libc::IPPROTO_IP, 96),
                set(libc::IPPROTO_IP, 128),
                set(libc::IPPROTO_IP, libc::IP_TTL),
                set(libc::SOL_SOCKET, libc::SO_KEEPALIVE),
            ];
            libc::close(socket);
            seen
        }
    });
    assert_eq!(seen[..4], [libc::EPERM; 4]);
    assert_eq!(seen[4..], [0, 0]);
}

#[test]
fn neither_ipsec_nor_packet_filters_are_reached_by_options_of_ip_and_others_of_these_numbers_are() {
    let (refused, usual) = under(Filter::Nesting, || {
        // SAFETY: plain system calls on sockets that are closed at the end, with room for every answer.
        unsafe {
            let sockets = [libc::AF_INET, libc::AF_INET6].map(|family| libc::socket(family, libc::SOCK_DGRAM, 0));
            let mut value = [0_u8; 512];
            let mut call = |set: bool, level: usize, option: libc::c_int| {
                let (socket, mut length) = (sockets[level], 4);
                let level = [libc::IPPROTO_IP, libc::IPPROTO_IPV6][level];
                let value = value.as_mut_ptr().cast();
                errno_of(libc::c_long::from(if set {
                    libc::setsockopt(socket, level, option, value, length)
                } else {
                    libc::getsockopt(socket, level, option, value, &raw mut length)
                }))
            };
            let mut refused = vec![
                call(true, 0, 16),
                call(true, 0, 17),
                call(true, 1, 34),
                call(true, 1, 35),
            ];
            refused.extend([64, 67, 96, 99, 128, 131].map(|option| call(false, 0, option)));
            refused.extend([64, 65, 68, 69, 96, 128].map(|option| call(false, 1, option)));
            // Joining a group of nobody's; the hops of multicasts; the traffic class.
            let usual = [
                call(true, 0, 35),
                call(true, 1, 16),
                call(false, 1, 66),
                call(false, 1, 67),
            ];
            let _ = sockets.map(|socket| libc::close(socket));
            (refused, usual)
        }
    });
    assert_eq!(refused, vec![libc::EPERM; refused.len()]);
    assert!(!usual.contains(&libc::EPERM), "{usual:?}");
}

#[test]
fn no_program_says_that_its_environment_lies_elsewhere_nor_clones_mounts_by_newer_calls() {
    for filter in [Filter::App, Filter::Nesting, Filter::Helper] {
        let seen = under(filter, || {
            // SAFETY: calls that are refused, or fail for want of sense (EINVAL, EBADF).
            unsafe {
                // PR_SET_MM_MAP_SIZE needs no rights: whom no filter stops is told EFAULT.
                let nowhere: *mut u32 = std::ptr::null_mut();
                [
                    errno_of(libc::prctl(35, 15, nowhere, 0, 0).into()),
                    errno_of(libc::syscall(467, -1, c"".as_ptr(), 0, 0, 0)),
                    errno_of(libc::syscall(443, -1, 0, 0, 0)),
                ]
            }
        });
        assert_eq!(seen, [libc::EPERM; 3], "{filter:?}");
    }
}

/// A child that ends at once, by the call itself: which flags it takes.
fn clone_with(flags: libc::c_int) -> i32 {
    // SAFETY: without a stack of its own the child goes on here, on a copy of all memory, and ends at once.
    unsafe {
        let child = libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0);
        if child == 0 {
            libc::_exit(0);
        }
        let errno = errno_of(child);
        if child > 0 {
            libc::waitpid(child as i32, std::ptr::null_mut(), 0);
        }
        errno
    }
}

#[test]
fn only_who_may_nest_makes_namespaces_and_everybody_else_still_has_threads_and_children() {
    for (filter, refused) in [(Filter::App, true), (Filter::Helper, true), (Filter::Nesting, false)] {
        let (unshared, cloned, plain, clone3, thread) = under(filter, || {
            // SAFETY: plain system calls. A user namespace is refused to a process with threads in any case (EINVAL).
            let (unshared, clone3) = unsafe {
                (
                    [libc::CLONE_NEWUSER, libc::CLONE_NEWNET | libc::CLONE_FS, CLONE_NEWTIME]
                        .map(|flags| errno_of(libc::unshare(flags).into())),
                    errno_of(libc::syscall(libc::SYS_clone3, 0, 0)),
                )
            };
            let cloned = [libc::CLONE_NEWUSER, libc::CLONE_NEWUSER | libc::CLONE_NEWNET].map(clone_with);
            let thread = std::thread::spawn(|| 7).join();
            (unshared, cloned, clone_with(0), clone3, thread)
        });
        assert_eq!(
            unshared[0],
            if refused { libc::EPERM } else { libc::EINVAL },
            "{filter:?}"
        );
        if refused {
            assert_eq!(unshared, [libc::EPERM; 3], "{filter:?}");
            assert_eq!(cloned, [libc::EPERM; 2], "{filter:?}");
        } else {
            assert_eq!(cloned, [0; 2], "{filter:?}");
        }
        assert_eq!(clone3, if refused { libc::ENOSYS } else { libc::EINVAL }, "{filter:?}");
        assert_eq!((plain, thread.unwrap()), (0, 7), "{filter:?}");
    }
}

/// In a thread of its own, which ends with its filter.
#[test]
fn what_is_refused_fails_and_the_rest_goes_on() {
    let seen = std::thread::spawn(|| {
        nix::sys::prctl::set_no_new_privs().unwrap();
        seccompiler::apply_filter(&of(Filter::App, &[])).unwrap();
        // SAFETY: calls that are refused, or harmless.
        unsafe {
            let key = libc::syscall(libc::SYS_keyctl, 0, 0, 0);
            let key = (key, *libc::__errno_location());
            let vsock = libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0);
            let vsock = (vsock, *libc::__errno_location());
            let unix = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0);
            libc::close(unix);
            let typed = libc::ioctl(0, libc::TIOCSTI as libc::Ioctl, c"x".as_ptr());
            let typed = (typed, *libc::__errno_location());
            (key, vsock, unix >= 0, typed)
        }
    });
    let (key, vsock, unix, typed) = seen.join().unwrap();
    assert_eq!(key, (-1, libc::EPERM));
    assert_eq!(vsock, (-1, libc::EPERM));
    assert!(unix);
    assert_eq!(typed, (-1, libc::EPERM));
}

#[test]
fn a_helper_has_no_network_and_no_hold_on_others_and_the_capture_starts_nothing() {
    let seen = std::thread::spawn(|| {
        nix::sys::prctl::set_no_new_privs().unwrap();
        seccompiler::apply_filter(&of(Filter::Helper, EXECUTION)).unwrap();
        // SAFETY: calls that are refused, or harmless.
        unsafe {
            let last = |result: libc::c_long| (result, *libc::__errno_location());
            let socket = |family| libc::c_long::from(libc::socket(family, libc::SOCK_STREAM, 0));
            let nothing: *const *const libc::c_char = std::ptr::null();
            [
                last(socket(libc::AF_INET)),
                last(socket(libc::AF_NETLINK)),
                last(libc::ptrace(libc::PTRACE_ATTACH, 1, 0, 0)),
                last(libc::unshare(libc::CLONE_NEWUSER).into()),
                last(libc::execve(c"/bin/true".as_ptr(), nothing, nothing).into()),
                (socket(libc::AF_UNIX).min(0), 0),
            ]
        }
    });
    let seen = seen.join().unwrap();
    assert_eq!(seen[..5], [(-1, libc::EPERM); 5]);
    assert_eq!(seen[5].0, 0, "Unix sockets remain");
}
