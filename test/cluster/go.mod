module debugsession.dev/operator/test/cluster

go 1.26.0
