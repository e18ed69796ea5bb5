// Knots tells how many turns a knot takes.
package main

import (
	"encoding/json"
	"log"
	"net/http"
)

var turns = map[string]int{"overhand": 1, "bowline": 2, "figure-eight": 2}

func main() {
	http.HandleFunc("/knots/", func(answer http.ResponseWriter, question *http.Request) {
		count, known := turns[question.URL.Path[len("/knots/"):]]
		if !known {
			http.NotFound(answer, question)
			return
		}
		answer.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(answer).Encode(map[string]int{"turns": count}); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
